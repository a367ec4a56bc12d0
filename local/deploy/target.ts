/** Where the laptop cloud is reached and what it gives a deployment, as an AWS account would. */
export interface Target {
  readonly endpoint: string;
  readonly region: string;
  readonly accountId: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly postgres: {
    readonly host: string;
    readonly port: number;
    readonly username: string;
    readonly password: string;
  };
  /** DNS that is asked for customers' domains. */
  readonly dnsServer: string;
  /** Registers a bundled handler; the one call for which AWS wants a zip file and the laptop a path. */
  readonly defineFunction: (definition: {
    readonly name: string;
    readonly file: string;
    readonly timeout: number;
    readonly memory: number;
    readonly environment: Readonly<Record<string, string>>;
  }) => void;
  /** Entry path -> bundled file. */
  readonly bundles: ReadonlyMap<string, string>;
  /** Root of the project: state-machines/ and sample-app/schema/ are read from there. */
  readonly root: string;
  /** What tenants' own apps are told in secret; the shared app is told the same, so that sessions go with a tenant that moves. */
  readonly appSecrets?: Readonly<Record<string, string>>;
}

export const isNamed = (error: unknown, ...names: string[]): boolean =>
  error instanceof Error && names.includes(error.name);

/** Creates, or leaves what a former start created: every start deploys, as every `cdk deploy` does. */
export const ensure = async (create: () => Promise<unknown>, ...existing: string[]): Promise<void> => {
  try {
    await create();
  } catch (error) {
    if (!isNamed(error, ...existing)) throw error;
  }
};

/** What the ARN of every machine of Tenantry begins with. */
export const machinePrefix = ({ region, accountId }: Target): string =>
  `arn:aws:states:${region}:${accountId}:stateMachine:tenantry-`;
