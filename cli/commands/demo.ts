import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Command } from 'commander';
import { projectRoot } from '../connection.ts';
import { exitCodes } from '../exit-codes.ts';

export const demoCommand = (): Command =>
  new Command('demo')
    .description('signs tenants up, breaks one table of one of them and brings it back, with proof')
    .option('--fast', 'less data, no pauses')
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
      const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
      process.exitCode = signal ? exitCodes.interrupted : (code ?? 1);
    });
