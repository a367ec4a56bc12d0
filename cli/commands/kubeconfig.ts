import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import {
  execCredential,
  kubeconfigMark,
  kubeconfigText,
  type TokenCommand,
} from '../../local/kubernetes/kubeconfig.ts';
import { presignToken } from '../../local/kubernetes/presigned-token.ts';
import { connectedCloud, home, projectRoot } from '../connection.ts';
import { CommandFailure, exitCodes } from '../exit-codes.ts';

/** This program, as kubectl can start it from any directory and without PATH. */
const tokenCommand = (): TokenCommand => ({
  command: process.execPath,
  args: [join(projectRoot, 'cli', 'tenantry.js'), 'kubeconfig', 'token'],
  env: { TENANTRY_HOME: home() },
});

const refuseForeign = (file: string): void => {
  if (!existsSync(file) || readFileSync(file, 'utf8').startsWith(kubeconfigMark)) return;
  throw new CommandFailure(
    exitCodes.conflict,
    `${file} was not written by tenantry and would be lost; name another file with --file, and give both to kubectl: KUBECONFIG=a:b`,
  );
};

const writeKubeconfig = (file: string, text: string): void => {
  refuseForeign(file);
  const draft = `${file}.${process.pid}.draft`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, file);
};

const clustersOf = async (only: string | undefined) => {
  const cloud = connectedCloud();
  // The SDK's client takes 150 ms to load, which the token command does not need.
  const { describeClusters } = await import('../../local/kubernetes/eks-clusters.ts');
  const clusters = await describeClusters(cloud, only);
  if (clusters.length > 0) return clusters;
  throw new CommandFailure(
    exitCodes.notFound,
    only === undefined
      ? 'no cluster has an address yet; provision a tenant on the namespace or cluster tier'
      : `no cluster ${only} has an address; leave --cluster out for all that there are`,
  );
};

export const kubeconfigCommand = (): Command => {
  const kubeconfig = new Command('kubeconfig')
    .description('writes a file for kubectl with a context per cluster, and prints its path')
    .option('--file <path>', 'where it is written; - is standard output (default: kubeconfig in the data directory)')
    .option('--cluster <name>', 'this cluster alone')
    .action(async (options: { file?: string; cluster?: string }) => {
      const text = kubeconfigText(await clustersOf(options.cluster), tokenCommand());
      if (options.file === '-') {
        process.stdout.write(text);
        return;
      }
      const file = resolve(options.file ?? join(home(), 'kubeconfig'));
      writeKubeconfig(file, text);
      console.log(file);
    });

  kubeconfig
    .command('token')
    .description('prints a credential for one cluster; kubectl asks for it')
    .option('--cluster <name>', 'the cluster that the token is for')
    .action((_options: unknown, command: Command) => {
      // `kubeconfig` has an option of the same name, which takes the value when it is asked by its parent.
      const { cluster } = command.optsWithGlobals<{ cluster?: string }>();
      if (!cluster) throw new CommandFailure(exitCodes.usage, 'name the cluster that the token is for: --cluster NAME');
      const { endpoint, region, accessKeyId, secretAccessKey } = connectedCloud();
      const keys = { accessKeyId, secretAccessKey };
      const credential = presignToken({ cluster, region, keys, stsEndpoint: endpoint, now: new Date() });
      console.log(JSON.stringify(execCredential(credential)));
    });

  return kubeconfig;
};
