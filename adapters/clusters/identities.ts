import {
  CreatePodIdentityAssociationCommand,
  DeletePodIdentityAssociationCommand,
  type EKSClient,
  ListPodIdentityAssociationsCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  UpdatePodIdentityAssociationCommand,
} from '@aws-sdk/client-eks';
import { refusal } from './failure.ts';

/** A service account of Kubernetes, in a cluster. */
export interface ServiceAccount {
  readonly cluster: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

export interface Identities {
  /** Gives the service account's pods a role. A repeat changes nothing; another role takes the place of the first. Throws StackRefused. */
  associate(
    account: ServiceAccount & { readonly roleArn: string; readonly tags: Readonly<Record<string, string>> },
  ): Promise<void>;
  /** Takes it away; one that there is not, or whose cluster is gone, is taken away already. */
  dissociate(account: ServiceAccount): Promise<void>;
}

export const openIdentities = (client: EKSClient): Identities => {
  const find = async ({ cluster, namespace, serviceAccount }: ServiceAccount): Promise<string | undefined> => {
    try {
      const { associations } = await client.send(
        new ListPodIdentityAssociationsCommand({ clusterName: cluster, namespace, serviceAccount }),
      );
      return associations?.[0]?.associationId;
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    }
  };
  return {
    associate: async ({ roleArn, tags, ...account }) => {
      const { cluster: clusterName, namespace, serviceAccount } = account;
      const what = `identity of ${namespace}/${serviceAccount} in cluster ${clusterName}`;
      try {
        const associationId = await find(account);
        await (associationId === undefined
          ? client.send(
              new CreatePodIdentityAssociationCommand({ clusterName, namespace, serviceAccount, roleArn, tags }),
            )
          : client.send(new UpdatePodIdentityAssociationCommand({ clusterName, associationId, roleArn })));
      } catch (error) {
        // Somebody was quicker: the same step, run twice.
        if (!(error instanceof ResourceInUseException)) throw refusal(what, error);
      }
    },
    dissociate: async (account) => {
      const associationId = await find(account);
      if (associationId === undefined) return;
      try {
        await client.send(new DeletePodIdentityAssociationCommand({ clusterName: account.cluster, associationId }));
      } catch (error) {
        if (!(error instanceof ResourceNotFoundException)) throw error;
      }
    },
  };
};
