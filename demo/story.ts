/** Prints the demo as a numbered story on standard output and keeps what was measured for the summary. */
export interface Story {
  readonly facts: Record<string, unknown>;
  chapter(title: string): void;
  say(line: string): void;
  /** Records a fact that has to hold; the demo fails at its end if one does not. */
  prove(name: string, holds: boolean, evidence: string): void;
  readonly broken: readonly string[];
}

export const openStory = (): Story => {
  const started = performance.now();
  const broken: string[] = [];
  const facts: Record<string, unknown> = {};
  let chapters = 0;
  return {
    facts,
    broken,
    chapter: (title) => {
      chapters += 1;
      console.log(`\n${chapters}. ${title}  (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    },
    say: (line) => console.log(line === '' ? '' : `   ${line}`),
    prove: (name, holds, evidence) => {
      facts[name] = holds;
      if (!holds) broken.push(name);
      console.log(`   ${holds ? 'proved' : 'BROKEN'}  ${name}: ${evidence}`);
    },
  };
};
