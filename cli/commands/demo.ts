import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Command } from 'commander';
import { projectRoot } from '../connection.ts';
import { exitCodes } from '../exit-codes.ts';

export const demoCommand = (): Command =>
  new Command('demo')
    .description('signs tenants up, breaks one table of one of them and brings it back, with proof')
    .option('--fast', 'less data')
    .option('--json <file>', 'write the summary there too')
    .option('--keep', 'leave the local cloud running afterwards')
    .action(async (options: { fast?: boolean; json?: string; keep?: boolean }) => {
      const child = spawn(
        process.execPath,
        [
          join(projectRoot, 'demo', 'main.ts'),
          ...(options.fast ? ['--fast'] : []),
          ...(options.keep ? ['--keep'] : []),
          ...(options.json ? ['--json', options.json] : []),
        ],
        { stdio: 'inherit' },
      );
      // Ctrl-C reaches the child from the terminal itself: it ends the cloud that it started, and this process waits.
      process.on('SIGINT', () => undefined);
      process.on('SIGTERM', () => child.kill('SIGTERM'));
      const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
      process.exitCode = signal ? exitCodes.interrupted : (code ?? 1);
    });
