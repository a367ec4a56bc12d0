export interface Cache<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
  delete(key: string): void;
  /** Drops every entry that `matches`. */
  drop(matches: (value: Value, key: string) => boolean): void;
}

/** The `capacity` most recently used entries, each for `ttl` milliseconds since it was set. `evicted` hears what capacity pushed out. */
export const timedCache = <Value>(options: {
  capacity: number;
  ttl: number;
  now?: () => number;
  evicted?: (value: Value) => void;
}): Cache<Value> => {
  const now = options.now ?? Date.now;
  // A Map keeps the order of insertion: the first key is the one unused for longest.
  const entries = new Map<string, { value: Value; until: number }>();
  return {
    get: (key) => {
      const entry = entries.get(key);
      if (!entry) return undefined;
      entries.delete(key);
      if (entry.until <= now()) return undefined;
      entries.set(key, entry);
      return entry.value;
    },
    set: (key, value) => {
      entries.delete(key);
      entries.set(key, { value, until: now() + options.ttl });
      if (entries.size <= options.capacity) return;
      const [oldest] = entries;
      if (!oldest) return;
      entries.delete(oldest[0]);
      options.evicted?.(oldest[1].value);
    },
    delete: (key) => {
      entries.delete(key);
    },
    drop: (matches) => {
      for (const [key, { value }] of entries) if (matches(value, key)) entries.delete(key);
    },
  };
};
