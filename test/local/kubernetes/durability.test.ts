import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ControlPlanes } from '../../../local/kubernetes/control-planes.ts';
import { ask, openWatch, startTestControlPlanes, temporaryDirectory } from './api-server.ts';

const directoryOfTest = async (): Promise<string> => {
  const { path, remove } = await temporaryDirectory();
  onTestFinished(remove);
  return path;
};

const maps = '/api/v1/namespaces/default/configmaps';
const makeMap = (planes: Pick<ControlPlanes, 'endpoint' | 'certificateAuthority'>, name: string) =>
  ask(planes as ControlPlanes, 'shared', 'POST', maps, { body: { metadata: { name }, data: { of: name } } });

test('a restart keeps objects, certificate and port, and versions go on growing', async () => {
  const directory = await directoryOfTest();
  const first = await startTestControlPlanes(directory);
  first.create('shared');
  const made = (await makeMap(first, 'a')).body;
  await ask(first, 'shared', 'POST', maps, { body: { metadata: { name: 'gone' } } });
  await ask(first, 'shared', 'DELETE', `${maps}/gone`);
  const last = Number((await ask(first, 'shared', 'GET', maps)).body.metadata.resourceVersion);
  const admin = first.adminToken('shared');
  await first.close();

  const second = await startTestControlPlanes(directory);
  onTestFinished(() => second.close());
  expect(second.names()).toEqual(['shared']);
  expect([second.port, second.certificateAuthority]).toEqual([first.port, first.certificateAuthority]);
  expect(second.adminToken('shared')).not.toBe(admin);
  const { body } = await ask(second, 'shared', 'GET', maps);
  expect(body.items).toEqual([made]);
  expect(Number((await makeMap(second, 'b')).body.metadata.resourceVersion)).toBeGreaterThan(last);
  second.create('shared');
  expect((await ask(second, 'shared', 'GET', maps)).body.items).toHaveLength(2);
});

test('a watch that missed nothing goes on over a restart; one that could have is told to list anew', async () => {
  const directory = await directoryOfTest();
  const first = await startTestControlPlanes(directory);
  first.create('shared');
  const early = (await makeMap(first, 'a')).body.metadata.resourceVersion;
  const last = (await makeMap(first, 'b')).body.metadata.resourceVersion;
  await first.close();
  const second = await startTestControlPlanes(directory);
  onTestFinished(() => second.close());
  const resumed = await openWatch(second, 'shared', `${maps}?watch=true&resourceVersion=${last}`);
  await makeMap(second, 'c');
  expect(await resumed.first(1)).toMatchObject([{ type: 'ADDED', object: { metadata: { name: 'c' } } }]);
  const missed = await openWatch(second, 'shared', `${maps}?watch=true&resourceVersion=${early}`);
  expect(await missed.first(1)).toMatchObject([{ type: 'ERROR', object: { code: 410 } }]);
});

test('a removed cluster leaves nothing behind, and one of its name begins empty', async () => {
  const directory = await directoryOfTest();
  const first = await startTestControlPlanes(directory);
  first.create('shared');
  first.create('other');
  await makeMap(first, 'a');
  first.remove('shared');
  expect(first.names()).toEqual(['other']);
  await first.close();
  const second = await startTestControlPlanes(directory);
  onTestFinished(() => second.close());
  expect(second.names()).toEqual(['other']);
  second.create('shared');
  expect((await ask(second, 'shared', 'GET', maps)).body.items).toEqual([]);
});

test('kill -9 loses no acknowledged write', async () => {
  const directory = await directoryOfTest();
  const child: ChildProcess = fork(join(import.meta.dirname, 'control-planes.process.ts'), [directory], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const [started] = await once(child, 'message');
  const planes = started as { endpoint: string; certificateAuthority: string };
  const reached = { endpoint: () => planes.endpoint, certificateAuthority: planes.certificateAuthority };
  const acknowledged: string[] = [];
  let writing = true;
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let index = 0; writing; index++) {
      const name = `w${writer}-${index}`;
      const answer = await makeMap(reached, name).catch(() => undefined);
      if (answer?.status === 201) acknowledged.push(name);
    }
  });
  await expect.poll(() => acknowledged.length, { timeout: 10_000 }).toBeGreaterThan(100);
  child.kill('SIGKILL');
  await once(child, 'exit');
  writing = false;
  await Promise.all(writers);

  const after = await startTestControlPlanes(directory);
  onTestFinished(() => after.close());
  const { body } = await ask(after, 'shared', 'GET', maps);
  const names = new Set(body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name));
  expect(acknowledged.filter((name) => !names.has(name))).toEqual([]);
});
