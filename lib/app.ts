import { App, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import { readParameters } from './parameters.ts';
import { SharedPlatform } from './shared-platform.ts';
import { Steps } from './steps.ts';
import { Tenancy } from './tenancy.ts';

const app = new App();
const parameters = readParameters(app.node);
const env = { region: parameters.region };
const platform = new SharedPlatform(app, 'TenantryPlatform', { env, parameters });
const steps = new Steps(app, 'TenantrySteps', { env, platform });
new Tenancy(app, 'Tenantry', { env, parameters, steps });
Validations.of(app).addPlugins(new AwsSolutionsChecks(app, { verbose: true }));
Validations.of(app).addPlugins(new ServerlessChecks(app, { verbose: true }));
app.synth();
