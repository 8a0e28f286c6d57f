"use strict";
(() => {
	const form = document.getElementById("filter");
	const shown = document.getElementById("shown");
	const rows = [...document.querySelectorAll(".matrix tbody tr")].map(row => ({
		row,
		project: row.cells[0].firstChild.textContent.toLowerCase(),
		section: row.closest("section"),
		table: row.closest(".scroll"),
		cells: [...row.cells].slice(1).filter(cell => cell.className).map(cell => {
			const link = cell.querySelector("a");
			return { cell, goal: link.getAttribute("href").toLowerCase(), verdict: cell.className };
		}),
	}));
	const apply = () => {
		const words = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
		const arch = form.arch.value;
		const verdicts = new Set([...form.querySelectorAll("[name=v]:checked")].map(box => box.value[0]));
		let goals = 0;
		const used = new Set();
		for (const { row, project, section, table, cells } of rows) {
			let any = false;
			for (const { cell, goal, verdict } of cells) {
				const fits = (!arch || section.dataset.arch === arch) && verdicts.has(verdict) &&
					words.every(word => project.includes(word) || goal.includes(word));
				cell.classList.toggle("off", !fits);
				any ||= fits;
				goals += fits;
			}
			row.hidden = !any;
			if (any) used.add(table).add(section);
		}
		for (const { section, table } of rows) {
			table.hidden = !used.has(table);
			section.hidden = !used.has(section);
		}
		shown.textContent = goals === 1 ? "1 goal is shown" : goals + " goals are shown";
	};
	form.addEventListener("input", apply);
	form.addEventListener("submit", event => event.preventDefault());
	form.hidden = false;
	apply();
})();
