import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyConfiguration } from '../../../local/kubernetes/apply/server-side-apply.ts';
import { isObject, type KubeObject } from '../../../local/kubernetes/object.ts';

const some = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(value, { nil: undefined });
const word = fc.constantFrom('a', 'b', 'c');
const words = fc.dictionary(word, word, { maxKeys: 3 });
const named = <Value>(rest: fc.Arbitrary<Value>) =>
  fc.uniqueArray(fc.tuple(word, rest), { selector: ([name]) => name, maxLength: 3 });

const container = fc.record({
  image: some(word),
  command: some(fc.array(word, { maxLength: 2 })),
  env: some(named(word).map((entries) => entries.map(([name, value]) => ({ name, value })))),
  ports: some(
    fc
      .uniqueArray(fc.constantFrom(80, 81), { maxLength: 2 })
      .map((ports) => ports.map((containerPort) => ({ containerPort, name: `p${containerPort}` }))),
  ),
});

const configuration = fc
  .record({
    labels: some(words),
    finalizers: some(fc.uniqueArray(word, { maxLength: 3 })),
    replicas: some(fc.nat(3)),
    selector: some(words),
    containers: some(named(container).map((entries) => entries.map(([name, rest]) => ({ name, ...rest })))),
  })
  .map(({ labels, finalizers, replicas, selector, containers }): KubeObject => {
    const spec = {
      replicas,
      ...(selector ? { selector: { matchLabels: selector } } : {}),
      ...(containers ? { template: { spec: { containers } } } : {}),
    };
    return JSON.parse(
      JSON.stringify({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', labels, finalizers },
        spec,
      }),
    );
  });

const bare: KubeObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } };

const apply = (live: KubeObject | undefined, wanted: KubeObject, manager = 'tenantry', force = true): KubeObject => {
  const result = applyConfiguration({ live, wanted: structuredClone(wanted), manager, force });
  if ('conflicts' in result) throw new Error(`conflicts: ${result.conflicts.map(({ field }) => field)}`);
  return result.object;
};

/** Without managed fields, objects and lists that hold nothing, and the order of lists, in which a merge is free. */
const content = (value: unknown): unknown => {
  if (Array.isArray(value)) {
    return value
      .map(content)
      .filter((item) => item !== undefined)
      .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value)
    .filter(([name]) => name !== 'managedFields')
    .map(([name, below]) => [name, content(below)] as const)
    .filter(
      ([, below]) => below !== undefined && !(typeof below === 'object' && below && Object.keys(below).length === 0),
    );
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
};

test('applying the same again changes nothing, not even the order', () => {
  fc.assert(
    fc.property(configuration, configuration, (first, second) => {
      const live = apply(apply(undefined, first), second);
      expect(apply(live, second)).toEqual(live);
    }),
  );
});

test('what one manager applies last is all that there is', () => {
  fc.assert(
    fc.property(configuration, configuration, (first, second) => {
      expect(content(apply(apply(undefined, first), second))).toEqual(content(apply(undefined, second)));
    }),
  );
});

test('when both managers have let go of everything nothing is left', () => {
  fc.assert(
    fc.property(configuration, configuration, (first, second) => {
      const both = apply(apply(undefined, first, 'one'), second, 'two');
      expect(content(apply(apply(both, bare, 'one'), bare, 'two'))).toEqual(content(bare));
    }),
  );
});

test('who forces nothing takes nothing: what the other applied stays as it was', () => {
  fc.assert(
    fc.property(configuration, configuration, (first, second) => {
      const live = apply(undefined, first, 'one');
      const result = applyConfiguration({ live, wanted: second, manager: 'two', force: false });
      if ('conflicts' in result) expect(result.conflicts.length).toBeGreaterThan(0);
      else expect(content(apply(result.object, bare, 'two'))).toEqual(content(first));
    }),
  );
});
