import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyOut } from '../../../adapters/dump/copy-out.ts';
import { startTestPostgres, type TestPostgres } from '../../postgres.ts';

let server: TestPostgres;
let client: pg.Client;
beforeAll(async () => {
  server = await startTestPostgres();
  client = await server.connect();
});
afterAll(async () => {
  await client.end();
  await server.stop();
});

const numbers = (count: number): string => `COPY (SELECT i FROM generate_series(1, ${count}) i) TO STDOUT`;
const expected = (count: number): string => Array.from({ length: count }, (_, place) => `${place + 1}\n`).join('');

test('copies many tables in one round trip, each text apart', async () => {
  const texts = ['', '', '', ''];
  const rows = await copyOut(client, [numbers(3), numbers(0), numbers(40_000), numbers(1)], (chunk, statement) => {
    texts[statement] += chunk.toString();
    return undefined;
  });
  expect(rows).toEqual([3, 0, 40_000, 1]);
  expect(texts).toEqual([expected(3), '', expected(40_000), '1\n']);
});

test('keeps rows larger than a block whole, and gives chunks that stay as they are', async () => {
  const chunks: Buffer[] = [];
  await copyOut(
    client,
    [`COPY (SELECT repeat(chr(96 + i), 200000) FROM generate_series(1, 20) i) TO STDOUT`],
    (chunk) => {
      chunks.push(chunk);
      return undefined;
    },
  );
  const rows = Buffer.concat(chunks).toString().split('\n').slice(0, -1);
  expect(rows).toEqual(Array.from({ length: 20 }, (_, place) => String.fromCharCode(97 + place).repeat(200_000)));
});

test('goes at the pace of a stream that it fills, and is over before that stream is ended', async () => {
  // A stream that was ended tells of no drain any more: with the last chunk still waiting, the socket stayed paused for ever.
  for (let round = 1; round <= 30; round += 1) {
    const slow = new PassThrough({ highWaterMark: 1 });
    const reading = text(slow);
    await copyOut(client, [numbers(round * 700)], (chunk) =>
      slow.write(chunk) ? undefined : once(slow, 'drain').then(() => undefined),
    );
    slow.end();
    expect(await reading).toBe(expected(round * 700));
  }
});

test('holds at most a few blocks back from a sink that does not read', async () => {
  let given = 0;
  let release = (): void => undefined;
  const blocked = new Promise<void>((resolve) => {
    release = resolve;
  });
  const copying = copyOut(
    client,
    ['COPY (SELECT repeat($$x$$, 1000) FROM generate_series(1, 50000)) TO STDOUT'],
    (chunk) => {
      given += chunk.length;
      return blocked;
    },
  );
  const watcher = await server.connect();
  // The server waits for us to read: that is the condition, not a time.
  for (let waits = false; !waits; )
    waits = (await watcher.query(`SELECT FROM pg_stat_activity WHERE wait_event = 'ClientWrite'`)).rowCount === 1;
  await watcher.end();
  expect(given).toBeLessThan(1_000_000);
  release();
  expect(await copying).toEqual([50_000]);
  expect(given).toBe(50_000 * 1_001);
});

test('a failing sink fails the copy and leaves the connection usable', async () => {
  await expect(copyOut(client, [numbers(300_000)], () => Promise.reject(new Error('disk full')))).rejects.toThrow(
    'disk full',
  );
  expect(await copyOut(client, [numbers(2)], () => undefined)).toEqual([2]);
});

test('a failing statement fails the copy with the server’s error and leaves the connection usable', async () => {
  const failing = copyOut(
    client,
    [numbers(2), 'COPY (SELECT 1 / (3 - i) FROM generate_series(1, 5) i) TO STDOUT'],
    () => undefined,
  );
  await expect(failing).rejects.toMatchObject({ code: '22012' });
  expect(await copyOut(client, [numbers(2)], () => undefined)).toEqual([2]);
});

test('a connection that ends in the middle fails the copy', async () => {
  const doomed = await server.connect();
  const { rows } = await doomed.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  let killed = false;
  const copying = copyOut(doomed, [numbers(3_000_000)], () => {
    if (killed) return undefined;
    killed = true;
    return client.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]).then(() => undefined);
  });
  await expect(copying).rejects.toThrow(/terminat|connection/i);
});
