/** `arn:aws:states:REGION:ACCOUNT:stateMachine:NAME` and the ARNs that are derived from it. */
export const machineArn = (place: { region: string; accountId: string }, name: string): string =>
  `arn:aws:states:${place.region}:${place.accountId}:stateMachine:${name}`;

export const machineNameOf = (arn: string): string => arn.split(':').slice(6).join(':');

export const executionArn = (machine: string, name: string): string =>
  `${machine.replace(':stateMachine:', ':execution:')}:${name}`;

/** Children of a Map Run belong to `<machine>/<label>`, a machine that exists only in their ARNs. */
export const mapMachineArn = (machine: string, label: string): string => `${machine}/${label}`;

export const mapRunArn = (mapMachine: string, id: string): string =>
  `${mapMachine.replace(':stateMachine:', ':mapRun:')}:${id}`;

/** The id at the end of a Map Run's ARN. */
export const mapRunId = (arn: string): string => arn.slice(arn.lastIndexOf(':') + 1);
