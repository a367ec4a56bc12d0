/** What Ingress objects route, over all clusters. */
export interface HostTable {
  /** The port of a process that serves the host now, in turn; undefined when no ready pod of any cluster does. */
  port(host: string): number | undefined;
}

export interface HostRoute {
  readonly host: string;
  /** When the Ingress was created, in milliseconds. */
  readonly created: number;
  /** Ready pods behind the route. */
  readonly pods: readonly { readonly uid: string; port(): number | undefined }[];
}

/** What one cluster puts into the table. */
export interface HostFeed {
  /** Replaces what was said about one Ingress; no routes: it is gone. */
  set(ingressUid: string, routes: readonly HostRoute[]): void;
  /** Forgets all that this cluster said. */
  close(): void;
}

export interface FedHostTable extends HostTable {
  feed(): HostFeed;
  /** Hosts that some cluster routes to a process now. */
  hosts(): string[];
}

interface Entry {
  readonly route: HostRoute;
  /** Order of first sight: creation times have whole seconds only. */
  readonly seen: number;
}

const isLater = (one: Entry, other: Entry): boolean =>
  one.route.created === other.route.created ? one.seen > other.seen : one.route.created > other.route.created;

/**
 * Host -> process, kept by the controllers of each cluster. Where several Ingress objects route a host to ready pods, the one that
 * was created last wins: a tenant that moves is applied at the new place before it is deleted at the old one.
 */
export const createHostTable = (): FedHostTable => {
  /** Host -> Ingress -> route. */
  const table = new Map<string, Map<string, Entry>>();
  const turns = new Map<string, number>();
  let seen = 0;

  const drop = (host: string, key: string): void => {
    const entries = table.get(host);
    entries?.delete(key);
    if (entries?.size !== 0) return;
    table.delete(host);
    turns.delete(host);
  };

  const portsOf = (host: string): number[] => {
    let chosen: { entry: Entry; ports: number[] } | undefined;
    for (const entry of table.get(host)?.values() ?? []) {
      const ports = entry.route.pods.flatMap((pod) => pod.port() ?? []);
      if (ports.length > 0 && (!chosen || isLater(entry, chosen.entry))) chosen = { entry, ports };
    }
    return chosen?.ports ?? [];
  };

  return {
    port: (host) => {
      const ports = portsOf(host);
      if (ports.length === 0) return undefined;
      const turn = turns.get(host) ?? 0;
      turns.set(host, (turn + 1) % 2 ** 30);
      return ports[turn % ports.length];
    },
    hosts: () => [...table.keys()].filter((host) => portsOf(host).length > 0),
    feed: () => {
      /** Ingress -> its hosts. */
      const said = new Map<string, readonly string[]>();
      const set: HostFeed['set'] = (uid, routes) => {
        const hosts = new Set(routes.map(({ host }) => host));
        for (const host of said.get(uid) ?? []) if (!hosts.has(host)) drop(host, uid);
        for (const route of routes) {
          const entries = table.get(route.host) ?? new Map<string, Entry>();
          table.set(route.host, entries);
          seen += 1;
          entries.set(uid, { route, seen: entries.get(uid)?.seen ?? seen });
        }
        if (hosts.size === 0) said.delete(uid);
        else said.set(uid, [...hosts]);
      };
      return {
        set,
        close: () => {
          for (const uid of [...said.keys()]) set(uid, []);
        },
      };
    },
  };
};
