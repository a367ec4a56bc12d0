import type { DockerImageAssetProps } from 'aws-cdk-lib/aws-ecr-assets';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { handlerBundle } from '../../domain/handler-bundle.ts';

/**
 * The image with PostgreSQL's client programs, a handler and the program that runs steps as tasks. Lambda and ECS give the same
 * answers here, so that both run the same image.
 */
export const postgresClients = (entry: string) =>
  ({
    file: 'lib/images/postgres-clients.Dockerfile',
    buildArgs: {
      ENTRY: entry,
      TARGET: handlerBundle.target,
      MAIN_FIELDS: handlerBundle.mainFields.join(','),
      BANNER: handlerBundle.banner,
    },
    platform: Platform.LINUX_ARM64,
    exclude: ['*', '!package.json', '!package-lock.json', '!domain', '!adapters', '!lambdas', '!lib/images'],
  }) satisfies Omit<DockerImageAssetProps, 'directory'>;
