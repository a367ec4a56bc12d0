import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { root, until } from '../cloud.ts';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  /** Resolves as soon as standard error holds the text. */
  says(text: string): Promise<void>;
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<Ended>;
}

/** The real command line as a process of its own, without a terminal. */
export const terminal = (home: string) => {
  const begin = (...words: string[]): Running => {
    const child = spawn(process.execPath, ['cli/main.ts', ...words], {
      cwd: root,
      env: { ...process.env, TENANTRY_HOME: home },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    return {
      says: async (text) => {
        await until(`"${text}" on standard error`, async () => (stderr.includes(text) ? true : undefined));
      },
      signal: (name) => child.kill(name),
      ended: once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr })),
    };
  };
  return {
    begin,
    /** Runs it to its end. */
    run: (...words: string[]): Promise<Ended> => begin(...words).ended,
    /** Runs it to its end with `-o json`; the output parsed. Fails for every other exit code than `code`. */
    json: async <T>(words: readonly string[], code = 0): Promise<T> => {
      const ended = await begin(...words, '-o', 'json').ended;
      if (ended.code !== code) throw new Error(`${words.join(' ')}: exit code ${ended.code}\n${ended.stderr}`);
      return JSON.parse(ended.stdout) as T;
    },
  };
};
