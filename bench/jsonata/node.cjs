// Reads workloads as JSON and prints CPU nanoseconds for compiling and evaluating.
const jsonata = require("jsonata");

async function perOp(op) {
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    const start = process.cpuUsage();
    let n = 0;
    let used = 0;
    while (used < 200_000) {
      for (let i = 0; i < 20; i++) await op();
      n += 20;
      const now = process.cpuUsage(start);
      used = now.user + now.system;
    }
    best = Math.min(best, (used * 1000) / n);
  }
  return best;
}

(async () => {
  const loads = JSON.parse(require("fs").readFileSync(0, "utf8"));
  const out = [];
  for (const load of loads) {
    const program = jsonata(load.expr);
    const text = JSON.stringify(load.data);
    out.push({
      compile: await perOp(() => jsonata(load.expr)),
      eval: await perOp(() => program.evaluate(load.raw ? JSON.parse(text) : load.data)),
    });
  }
  process.stdout.write(JSON.stringify(out));
})();
