import { readFileSync } from 'node:fs';
import { expect, vi } from 'vitest';

export const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // A zombie answers, too; it only waits to be read by its parent.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

export const gone = (pid: number): Promise<void> =>
  vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 10_000, interval: 5 });
