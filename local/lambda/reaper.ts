import { spawn } from 'node:child_process';

export interface Reaper {
  watch(pid: number): void;
  forget(pid: number): void;
  close(): void;
}

/**
 * A shell that outlives this process by the moment it takes to kill what is on its list. End of input is how it learns
 * that we are gone, even by SIGKILL.
 */
const script = `
pids=
while read -r verb pid; do
  if [ "$verb" = + ]; then pids="$pids $pid"; continue; fi
  kept=
  for known in $pids; do [ "$known" = "$pid" ] || kept="$kept $known"; done
  pids=$kept
done
for pid in $pids; do kill -9 "-$pid" 2>/dev/null; done
`;

/**
 * Kills process groups when this process dies without doing so. A child leaves by itself when its IPC channel closes,
 * but not while it is stuck in a loop; and programs that it started (pg_dump) do not watch the channel at all.
 */
export const startReaper = (): Reaper => {
  const shell = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  // Somebody may kill the shell; children then still end with their channel.
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  shell.unref();
  (shell.stdin as unknown as { unref?: () => void }).unref?.();
  const tell = (line: string): void => {
    if (shell.stdin.writable) shell.stdin.write(line);
  };
  return {
    watch: (pid) => tell(`+ ${pid}\n`),
    forget: (pid) => tell(`- ${pid}\n`),
    close: () => void shell.stdin.end(),
  };
};
