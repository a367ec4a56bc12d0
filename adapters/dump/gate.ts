/** Lets work in until its weight reaches a limit; one piece heavier than the limit goes alone. First come, first served. */
export interface Gate {
  enter(weight: number): Promise<void>;
  leave(weight: number): void;
}

export const openGate = (limit: number): Gate => {
  let inside = 0;
  const queue: { readonly weight: number; readonly open: () => void }[] = [];
  const admit = (): void => {
    for (let next = queue[0]; next && (inside === 0 || inside + next.weight <= limit); next = queue[0]) {
      queue.shift();
      inside += next.weight;
      next.open();
    }
  };
  return {
    enter: (weight) =>
      new Promise((open) => {
        queue.push({ weight, open });
        admit();
      }),
    leave: (weight) => {
      inside -= weight;
      admit();
    },
  };
};
