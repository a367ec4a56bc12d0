import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { moveBack } from '../../../adapters/replication/cut-over.ts';
import { finishMove } from '../../../adapters/replication/finish.ts';
import { preflight } from '../../../adapters/replication/preflight.ts';
import { startWayBack } from '../../../adapters/replication/way-back.ts';
import { moveMode } from '../../../domain/move.ts';
import { checkOperations } from '../../load/writers.ts';
import {
  cutOverTo,
  type Ends,
  expectSound,
  fingerprint,
  flipTo,
  leftovers,
  makeReady,
  newMove,
  sidesOf,
  writeOn,
} from './move-bench.ts';
import { newestInstalled, openServer, type TestServer } from './servers.ts';

const installed = newestInstalled();

describe.skipIf(!installed)('a tenant on PostgreSQL 15 and one on 18', () => {
  let servers: TestServer[];
  let ends: Ends;

  beforeAll(async () => {
    servers = await Promise.all([openServer(), openServer({ installed })]);
    ends = { source: await servers[0]!.database('pool'), target: await servers[1]!.database('pool18') };
    await ends.source.addTenant('acme', 200);
    await ends.target.addTenant('initech', 50);
  });
  afterAll(() => Promise.all(servers?.map((server) => server.stop()) ?? []));

  test('moves there under load and back again, and loses nothing', async () => {
    const move = newMove('acme');
    const request = { ...sidesOf(ends), move };
    const before = await fingerprint(ends.target, 'initech');
    const { findings } = await preflight({ ...sidesOf(ends), tenantId: 'acme' });
    expect(findings.filter(({ ok }) => !ok)).toEqual([]);
    expect(moveMode(findings)).toBe('live');
    const { board, load } = await writeOn(ends.source, 'acme');
    await makeReady(ends, move);
    const out = await cutOverTo(ends, move, board);
    await startWayBack(request);
    await load.more(100);
    const back = await moveBack({ ...request, ...flipTo(board, ends.source) });
    await load.more(30);
    await load.stop();
    expect(out.verification).toMatchObject({ equal: true, algorithm: 'text-v1', orphans: [] });
    expect(back.verification).toMatchObject({ equal: true, algorithm: 'text-v1', orphans: [] });
    const admin = await ends.source.side.connect();
    expect(await checkOperations(admin, 'acme', load)).toMatchObject({ lost: [], duplicated: [], unasked: [] });
    await admin.end();
    await finishMove(request);
    await expectSound(ends.source, 'acme');
    expect(await fingerprint(ends.target, 'initech')).toEqual(before);
    for (const place of [ends.source, ends.target]) expect(await leftovers(place)).toEqual([]);
  });
});
