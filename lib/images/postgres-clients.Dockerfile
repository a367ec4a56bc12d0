# One step function with PostgreSQL's client programs beside it, and the program that runs steps as container tasks (task.mjs):
# Lambda calls the handler, ECS starts the program. Built at deployment, never at synthesis.
FROM public.ecr.aws/docker/library/node:24-slim AS bundle
WORKDIR /project
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --omit=dev
COPY domain domain
COPY adapters adapters
COPY lambdas lambdas
ARG ENTRY
RUN npx esbuild lambdas/task.ts --bundle --platform=node --target=node24 --format=esm --outfile=/bundle/task.mjs --sourcemap --main-fields=module,main \
    --banner:js="import{createRequire}from'node:module';const require=createRequire(import.meta.url);"
RUN npx esbuild "$ENTRY" --bundle --platform=node --target=node24 --format=esm --outfile=/bundle/index.mjs --sourcemap --main-fields=module,main \
    --banner:js="import{createRequire}from'node:module';const require=createRequire(import.meta.url);"

FROM public.ecr.aws/lambda/nodejs:24
RUN dnf install -y postgresql16 && dnf clean all
COPY --from=bundle /bundle ${LAMBDA_TASK_ROOT}
CMD ["index.handler"]
