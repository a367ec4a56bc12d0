import { runningCloud } from '../cli/connection.ts';
import { hammer } from './load.ts';

/**
 * `npm run hammer -- acme`: four writers on one tenant of the running cloud until Ctrl-C. A line a second says how many operations
 * were acknowledged and how long the tenant's users waited at most; the end says what became of them all.
 */
const [tenantId = 'acme'] = process.argv.slice(2);
const cloud = runningCloud();
if (!cloud) {
  console.error('no local cloud runs; start one first: npm start');
  process.exit(1);
}
const load = await hammer(cloud, tenantId, 4);
console.log(`four writers hammer ${tenantId}; Ctrl-C ends them and counts\n  acked/s   longest wait`);
let seen = 0;
let longest = 0;
const tell = setInterval(() => {
  const times = load.acks.slice(Math.max(0, seen - 1)).map(({ at }) => at);
  const gap = Math.max(
    0,
    performance.now() - (times.at(-1) ?? performance.now()),
    ...times.slice(1).map((at, i) => at - times[i]!),
  );
  longest = Math.max(longest, gap);
  console.log(
    `  ${String(load.acks.length - seen).padStart(7)}   ${gap.toFixed(0).padStart(9)} ms${gap > 100 ? '   <-' : ''}`,
  );
  seen = load.acks.length;
}, 1_000);
process.once('SIGINT', () => {
  clearInterval(tell);
  void load.settle().then(({ acked, lost, duplicated }) => {
    console.log(
      `\n${acked} acknowledged, ${lost.length} lost, ${duplicated.length} duplicated, ${load.refused.length} refused, longest wait ${longest.toFixed(0)} ms`,
    );
    process.exitCode = lost.length + duplicated.length > 0 ? 1 : 0;
  });
});
