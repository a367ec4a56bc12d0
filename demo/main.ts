import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { call } from '../cli/api.ts';
import { awaitGone, startDetached, stopCloud } from '../cli/commands/cloud.ts';
import { comparisonLines, planLines, type RestoreRecord } from '../cli/comparison.ts';
import { type CloudFile, connectedCloud, home, runningCloud } from '../cli/connection.ts';
import { CommandFailure, exitCodes } from '../cli/exit-codes.ts';
import { follow, type OperationRecord } from '../cli/progress.ts';
import { loadChat } from '../sample-app/load.ts';
import { asTenant, connectAsApp, type Digests, differing, digestsOf } from './database.ts';
import { moveAround } from './moves.ts';
import { openStory, type Story } from './story.ts';
import { growInto } from './tiers.ts';

/** Filled once the cloud answers: acme, globex, initech, or acme-2, ... where a former demo left its tenants. */
const names: string[] = [];
/** The customer with an app of its own: hooli, or hooli-2, ... */
let growing = 'hooli';

const { values: options } = parseArgs({
  options: { fast: { type: 'boolean' }, keep: { type: 'boolean' }, json: { type: 'string' } },
});

const milliseconds = (operation: OperationRecord): number =>
  Date.parse(operation.endedAt ?? '') - Date.parse(operation.startedAt);

const succeed = async (id: string): Promise<OperationRecord> => {
  const operation = await follow(id, { timeoutSeconds: 300 });
  if (operation.status === 'failed') throw new Error(`${id} failed in ${operation.failedStep}: ${operation.reason}`);
  return operation;
};

const chooseNames = async (): Promise<void> => {
  const { items } = await call<{ items: { id: string }[] }>('GET', '/tenants?limit=500');
  const taken = new Set(items.map(({ id }) => id));
  for (let round = 1; names.length === 0; round += 1) {
    const [own, ...candidates] = ['hooli', 'acme', 'globex', 'initech'].map((name) =>
      round === 1 ? name : `${name}-${round}`,
    );
    if ([own, ...candidates].some((name) => taken.has(name!))) continue;
    names.push(...candidates);
    growing = own!;
  }
};

const signUp = async (story: Story): Promise<void> => {
  story.chapter('Three customers sign up, two of them at once: one event on the bus each');
  const ask = async (tenantId: string): Promise<OperationRecord> => {
    const { operation } = await call<{ operation: string }>('POST', '/tenants', {
      tenantId,
      plan: 'starter',
      name: `${tenantId[0]!.toUpperCase()}${tenantId.slice(1)} Inc`,
      adminEmail: `owner@${tenantId}.example`,
    });
    return succeed(operation);
  };
  const [first, second, third] = names;
  const all = [...(await Promise.all([ask(first!), ask(second!)])), await ask(third!)];
  for (const operation of all)
    story.say(`${operation.tenantId}  active after ${milliseconds(operation)} ms  ${operation.id}`);
  story.facts.signup_ms = all.map(milliseconds);
};

const load = async (story: Story, database: pg.Client): Promise<void> => {
  story.chapter('Each team chats');
  const messages = options.fast ? 400 : 4000;
  for (const [seed, tenantId] of names.entries())
    await loadChat(database, { tenantId, users: 20, messages, seed: seed + 1 });
  for (const tenantId of names) {
    const digests = await digestsOf(database, tenantId);
    story.say(`${tenantId}  ${Object.values(digests).reduce((sum, { rows }) => sum + rows, 0)} rows`);
  }
};

const backUp = async (story: Story): Promise<void> => {
  story.chapter('Every tenant is backed up: real rows to S3, sealed with digests');
  const accepted = await Promise.all(
    names.map((tenantId) => call<{ operation: string }>('POST', `/tenants/${tenantId}/backups`, { reason: 'demo' })),
  );
  const done = await Promise.all(accepted.map(({ operation }) => succeed(operation)));
  for (const operation of done) story.say(`${operation.tenantId}  sealed after ${milliseconds(operation)} ms`);
  story.facts.backup_ms = done.map(milliseconds);
};

const digestAll = async (database: pg.Client): Promise<Map<string, Digests>> => {
  const all = new Map<string, Digests>();
  for (const tenantId of names) all.set(tenantId, await digestsOf(database, tenantId));
  return all;
};

const damage = async (story: Story, database: pg.Client, damaged: string): Promise<void> => {
  story.chapter(`A bad release deletes rows of one table of ${damaged}`);
  const deleted = await asTenant(database, damaged, () =>
    database.query('DELETE FROM reactions WHERE message_id % 3 = 0'),
  );
  story.say(`${deleted.rowCount} reactions of ${damaged} are gone`);
  story.facts.deleted_rows = deleted.rowCount;
};

const preview = async (story: Story, damaged: string): Promise<void> => {
  story.chapter('What would a restore of that one table change? Dry run, nothing live is touched');
  const { operation } = await call<{ operation: string }>('POST', '/restores', {
    tenantId: damaged,
    tables: ['reactions'],
    dryRun: true,
  });
  const ended = await succeed(operation);
  const restore = await call<RestoreRecord>('GET', `/restores/${operation}`);
  for (const line of [...planLines(restore), '', ...comparisonLines(restore)]) story.say(line);
  const table = restore.report?.tables.find((row) => row.table.endsWith('reactions'));
  story.facts.dry_run_ms = milliseconds(ended);
  story.prove(
    'the dry run names exactly the deleted rows',
    table?.onlyThen === story.facts.deleted_rows && table?.onlyNow === 0 && table?.changed === 0,
    `only then ${table?.onlyThen}, only now ${table?.onlyNow}, changed ${table?.changed}`,
  );
};

/**
 * kill -9 and a new start; the gap is what a caller would see. The cloud need not be that of the start: whoever watches may
 * have killed it by hand.
 */
const killAndRestart = async (story: Story): Promise<CloudFile> => {
  const cloud = connectedCloud();
  const killed = performance.now();
  process.kill(cloud.pid, 'SIGKILL');
  await awaitGone(cloud.pid);
  const next = await startDetached();
  story.say(
    `kill -9 of process ${cloud.pid}; process ${next.pid} answers ${Math.round(performance.now() - killed)} ms later`,
  );
  return next;
};

const restore = async (story: Story, damaged: string): Promise<CloudFile> => {
  story.chapter('That table comes back in place, and the cloud is killed in the middle of it');
  const { operation } = await call<{ operation: string }>('POST', '/restores', {
    tenantId: damaged,
    tables: ['reactions'],
    into: 'in-place',
    reason: 'demo',
  });
  const waiting = await succeed(operation);
  story.say(
    `${operation} waits for approval after ${milliseconds({ ...waiting, endedAt: new Date().toISOString() })} ms`,
  );
  const stepsBefore = (waiting.steps ?? []).map(({ step, startedAt }) => `${step} ${startedAt}`);
  await killAndRestart(story);
  await call('POST', `/operations/${operation}/approve`, { reason: 'demo' });
  story.say('approved; killed again while the swap is on its way');
  const next = await killAndRestart(story);
  const done = await succeed(operation);
  const stepsAfter = new Set((done.steps ?? []).map(({ step, startedAt }) => `${step} ${startedAt}`));
  story.prove(
    'the open execution finished after kill -9, twice',
    done.status === 'succeeded',
    `${done.steps?.length} steps, ${done.status}`,
  );
  story.prove(
    'no step that had ended before the kill ran again',
    stepsBefore.every((step) => stepsAfter.has(step)) &&
      ['PlanRestore', 'StageRestore', 'CompareRestore'].every(
        (name) => (done.steps ?? []).filter(({ step }) => step === name).length === 1,
      ),
    `${stepsBefore.length} steps kept their times`,
  );
  return next;
};

const summarise = (story: Story): void => {
  const summary = { ok: story.broken.length === 0, ...story.facts };
  console.log('\nSummary');
  for (const [name, value] of Object.entries(summary))
    console.log(`   ${name}: ${Array.isArray(value) ? value.join(', ') : value}`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify(summary, null, 2)}\n`);
  if (story.broken.length > 0) process.exitCode = 1;
};

const visit = async (story: Story, cloud: CloudFile): Promise<void> => {
  story.chapter('The tenants are there');
  for (const tenantId of names) story.say(`http://${tenantId}.localhost:${cloud.port}`);
};

const main = async (): Promise<void> => {
  if (runningCloud())
    throw new CommandFailure(
      exitCodes.conflict,
      'a local cloud runs already, and the demo wants to kill and restart one: end it first with npx tenantry down',
    );
  const started = performance.now();
  const story = openStory();
  story.chapter('A laptop cloud starts: AWS endpoints, PostgreSQL, Tenantry deployed into it');
  let cloud = await startDetached();
  story.say(
    `AWS endpoints on ${cloud.endpoint}, PostgreSQL on ${cloud.postgres.host}:${cloud.postgres.port}, data in ${home()}`,
  );
  await chooseNames();
  const [damaged, ...neighbours] = names as [string, ...string[]];
  let database = await connectAsApp(cloud);
  try {
    await signUp(story);
    await visit(story, cloud);
    await load(story, database);
    const before = await digestAll(database);
    await backUp(story);
    await damage(story, database, damaged);
    const broken = await digestsOf(database, damaged);
    story.prove(
      'one table of one tenant is damaged',
      differing(before.get(damaged)!, broken).join() === 'reactions',
      `differs in ${differing(before.get(damaged)!, broken).join(', ')}`,
    );
    await preview(story, damaged);
    cloud = await restore(story, damaged);
    await database.end();
    database = await connectAsApp(cloud);
    story.chapter('Proof, by digests that the product did not compute');
    const after = await digestAll(database);
    const whole = differing(before.get(damaged)!, after.get(damaged)!);
    story.prove(
      `${damaged} is whole`,
      whole.length === 0,
      whole.length === 0 ? 'every table as before the damage' : `differs in ${whole.join(', ')}`,
    );
    for (const tenantId of neighbours) {
      const changed = differing(before.get(tenantId)!, after.get(tenantId)!);
      story.prove(
        `${tenantId} never changed`,
        changed.length === 0,
        changed.length === 0 ? 'every digest equal' : `differs in ${changed.join(', ')}`,
      );
    }
    await moveAround(story, cloud, damaged, succeed);
    await growInto(story, cloud, growing, succeed);
    const unmoved = await digestAll(database);
    for (const tenantId of neighbours)
      story.prove(
        `${tenantId} did not notice`,
        differing(before.get(tenantId)!, unmoved.get(tenantId)!).length === 0,
        'every digest equal after the moves',
      );
    story.facts.seconds = Math.round((performance.now() - started) / 100) / 10;
    summarise(story);
  } finally {
    await database.end();
    const running = runningCloud();
    if (running && !options.keep) await stopCloud(running);
  }
};

/** Ctrl-C: the cloud of the demo is a process of its own and would stay. */
const interrupt = async (): Promise<void> => {
  console.error('\ninterrupted; ending the local cloud, its tenants stay in the data directory');
  const running = runningCloud();
  if (running && !options.keep) await stopCloud(running);
  process.exit(exitCodes.interrupted);
};
process.once('SIGINT', () => void interrupt());
process.once('SIGTERM', () => void interrupt());

try {
  await main();
} catch (error) {
  console.error(error instanceof CommandFailure ? error.message : error);
  process.exitCode = error instanceof CommandFailure ? error.exitCode : 1;
}
