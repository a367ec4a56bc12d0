import { describe, expect, test } from 'vitest';
import { createHostTable, type HostRoute } from '../../../local/kubernetes/hosts.ts';

const host = 'acme.localhost';

const route = (created: number, ...ports: (number | undefined)[]): HostRoute => ({
  host,
  created,
  pods: ports.map((port, index) => ({ uid: `pod-${index}`, port: () => port })),
});

describe('a host', () => {
  test('that no Ingress routes has no port', () => {
    expect(createHostTable().port(host)).toBeUndefined();
  });

  test('of two ready pods is served by each in turn', () => {
    const table = createHostTable();
    table.feed().set('ingress', [route(0, 1001, 1002)]);
    expect([1, 2, 3, 4].map(() => table.port(host))).toEqual([1001, 1002, 1001, 1002]);
  });

  test('loses a pod in the moment in which its process goes', () => {
    const table = createHostTable();
    let port: number | undefined = 1001;
    table.feed().set('ingress', [{ host, created: 0, pods: [{ uid: 'pod', port: () => port }] }]);
    expect(table.port(host)).toBe(1001);
    port = undefined;
    expect({ port: table.port(host), hosts: table.hosts() }).toEqual({ port: undefined, hosts: [] });
  });

  test('that two clusters route goes to the Ingress that was created last, whichever was heard of first', () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const table = createHostTable();
      const routes = [route(1_000, 1001), route(2_000, 1002)];
      for (const index of order) table.feed().set(`ingress-${index}`, [routes[index]!]);
      expect(table.port(host)).toBe(1002);
    }
  });

  test('whose Ingress objects were created in one second goes to the one heard of last, also after an update of the other', () => {
    const table = createHostTable();
    const [shared, own] = [table.feed(), table.feed()];
    shared.set('old', [route(1_000, 1001)]);
    own.set('new', [route(1_000, 1002)]);
    shared.set('old', [route(1_000, 1001, 1003)]);
    expect(table.port(host)).toBe(1002);
  });

  test('stays where it is while the new place has no ready pod, and goes back when the new place is closed', () => {
    const table = createHostTable();
    const [shared, own] = [table.feed(), table.feed()];
    shared.set('old', [route(1_000, 1001)]);
    own.set('new', [route(2_000, undefined)]);
    expect(table.port(host)).toBe(1001);
    own.set('new', [route(2_000, 1002)]);
    expect(table.port(host)).toBe(1002);
    own.close();
    expect(table.port(host)).toBe(1001);
    shared.set('old', []);
    expect(table.port(host)).toBeUndefined();
  });

  test('that an Ingress gives up is forgotten, its other hosts stay', () => {
    const table = createHostTable();
    const feed = table.feed();
    feed.set('ingress', [route(0, 1001), { ...route(0, 1001), host: 'chat.acme.example' }]);
    feed.set('ingress', [{ ...route(0, 1001), host: 'chat.acme.example' }]);
    expect(table.hosts()).toEqual(['chat.acme.example']);
  });
});
