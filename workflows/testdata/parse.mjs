// Says what GitHub's own parser of workflow files finds in those that are named.
import { register } from "node:module";
register("data:text/javascript," + encodeURIComponent(`
export async function load(url, context, next) {
  if (url.endsWith(".json")) return next(url, { ...context, importAttributes: { type: "json" } });
  return next(url, context);
}
export async function resolve(spec, context, next) {
  const r = await next(spec, context);
  if (r.url.endsWith(".json")) r.importAttributes = { type: "json" };
  return r;
}`));
const { parseWorkflow, NoOperationTraceWriter, convertWorkflowTemplate } = await import("@actions/workflow-parser");
import { readFileSync } from "node:fs";
let bad = 0;
for (const name of process.argv.slice(2)) {
  const r = parseWorkflow({ name, content: readFileSync(name, "utf8") }, new NoOperationTraceWriter());
  const t = r.value ? await convertWorkflowTemplate(r.context, r.value) : { errors: [] };
  const found = [...r.context.errors.getErrors().map(e => e.message), ...(t.errors ?? []).map(e => e.Message)];
  for (const f of new Set(found)) { console.log(f); bad++; }
}
process.exitCode = bad ? 1 : 0;
