/**
 * How a handler becomes one file, for esbuild in the CDK app, on the laptop and in the container image: what runs here is what is
 * deployed there. Of the SDK's ES modules only what is used is kept, of its CommonJS everything: that took 70 of the 200 ms of
 * processor time of a handler's start. CommonJS dependencies call require for Node's own modules, which an ES module lacks.
 */
export const handlerBundle = {
  target: 'node24',
  mainFields: ['module', 'main'],
  banner: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
};
