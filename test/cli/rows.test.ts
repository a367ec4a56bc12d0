import { expect, test } from 'vitest';
import { parseRows } from '../../cli/rows.ts';

test.each([
  ["messages: sent_at >= '2026-01-01'", { table: 'messages', where: "sent_at >= '2026-01-01'" }],
  ['public.messages: key 17, 18', { table: 'public.messages', keys: ['17', '18'] }],
  ['messages: keys 9007199254740993', { table: 'messages', keys: ['9007199254740993'] }],
  [
    'reactions: key (3, 6, tada), (3, 7, eyes)',
    {
      table: 'reactions',
      keys: [
        ['3', '6', 'tada'],
        ['3', '7', 'eyes'],
      ],
    },
  ],
  ["tags: key 'O''Brien, Pat', 007", { table: 'tags', keys: ["O'Brien, Pat", '007'] }],
  ["settings: key = 'theme'", { table: 'settings', where: "key = 'theme'" }],
  ["settings: key in ('a', 'b')", { table: 'settings', where: "key in ('a', 'b')" }],
])('%s is understood', (text, rows) => {
  expect(parseRows(text)).toEqual(rows);
});

test.each([
  ['messages', 'names no table and rows'],
  ['messages sender_id = 7', 'names no table and rows'],
  ['messages:', 'names no table and rows'],
  ['messages: key', 'misses a key value'],
  ['messages: key 1,', 'misses a key value'],
  ['messages: key (1, 2', 'misses a ")"'],
  ['messages: key (1) (2)', 'misses a comma'],
  ["messages: key 'open", 'cannot be read at "\'open"'],
])('%j is refused with what is wrong and examples', (text, why) => {
  expect(() => parseRows(text)).toThrow(why);
  expect(() => parseRows(text)).toThrow('--rows "messages: key 17, 18"');
});
