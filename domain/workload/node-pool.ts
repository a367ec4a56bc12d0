import { type KubeObject, labelNames, manager } from './object.ts';

/** The kind by which EKS Auto Mode is told of nodes; other clusters do not know it. */
export const nodePoolKind = { apiVersion: 'karpenter.sh/v1', kind: 'NodePool' } as const;

export interface NodeBounds {
  /** Nodes that are always there. */
  readonly minimum: number;
  readonly maximum: number;
}

/** Every node has so many, so that a limit of CPUs is one of nodes: dynamic pools take no other. */
const nodeCpus = 4;

const pool = (name: string, spec: object): KubeObject => ({
  ...nodePoolKind,
  metadata: { name, labels: { [labelNames.managedBy]: manager } },
  spec: {
    template: {
      spec: {
        nodeClassRef: { group: 'eks.amazonaws.com', kind: 'NodeClass', name: 'default' },
        requirements: [
          { key: 'karpenter.sh/capacity-type', operator: 'In', values: ['on-demand'] },
          { key: 'kubernetes.io/arch', operator: 'In', values: ['amd64'] },
          { key: 'eks.amazonaws.com/instance-category', operator: 'In', values: ['c', 'm', 'r'] },
          { key: 'eks.amazonaws.com/instance-cpu', operator: 'In', values: [String(nodeCpus)] },
        ],
      },
    },
    ...spec,
  },
});

/**
 * The nodes of a tenant's own cluster: a pool that always has the minimum, with one more while a node is replaced, and one that
 * grows from there to the maximum as pods ask for it (EKS user guide, "Static Capacity Node Pools in EKS Auto Mode").
 */
export const nodePoolObjects = ({ minimum, maximum }: NodeBounds): KubeObject[] => [
  pool('tenant-base', { replicas: minimum, limits: { nodes: String(minimum + 1) } }),
  ...(maximum > minimum ? [pool('tenant-more', { limits: { cpu: String((maximum - minimum) * nodeCpus) } })] : []),
];
