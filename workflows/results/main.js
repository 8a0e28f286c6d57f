// Starts ortest with what GitHub tells only actions of this kind.
const { spawnSync } = require("node:child_process");
const run = spawnSync(process.env.ORTEST_BIN || "ortest", ["action", "results"], { stdio: "inherit" });
if (run.error) console.error(`::error::ortest does not start: ${run.error.message}`);
process.exitCode = run.error ? 3 : run.status ?? 3;
