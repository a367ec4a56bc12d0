import { openCredentialStore } from '../../../local/gateway/credentials.ts';
import { startGateway } from '../../../local/gateway/gateway.ts';
import { createRdsService } from '../../../local/services/rds.ts';
import { accountId, region, rootKey } from '../gateway/account.ts';

/** One life of RDS in a process of its own, on the directory and with the settings that its arguments name; tells its address. */
const [directory, settings] = process.argv.slice(2);
const service = createRdsService({ directory: directory!, region, accountId, settings: JSON.parse(settings!) });
await service.start();
const credentials = openCredentialStore({ file: `${directory}/credentials.json`, accountId, ...rootKey });
const gateway = await startGateway({ services: [service], credentials, region, accountId });
console.log(gateway.endpoint);
