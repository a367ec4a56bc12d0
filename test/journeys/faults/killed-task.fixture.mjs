import { Socket } from 'node:net';

// Loaded before the program of a container task. The kernel kills that when it has sent a number of messages since its journal
// entry, or when it is about to end that entry, whichever comes first.
let left = Number(process.env.DIES_AFTER);
let works = false;
const { write } = Socket.prototype;

Socket.prototype.write = function (chunk, ...rest) {
  const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('latin1');
  if (works) left -= 1;
  if (works && (left <= 0 || text.includes('UPDATE steps SET status'))) process.kill(process.pid, 'SIGKILL');
  works ||= text.includes('INSERT INTO steps');
  return write.call(this, chunk, ...rest);
};
