import { startTestControlPlanes } from './api-server.ts';

const planes = await startTestControlPlanes(process.argv[2]!);
planes.create('shared');
process.send?.({ endpoint: planes.endpoint('shared'), certificateAuthority: planes.certificateAuthority });
