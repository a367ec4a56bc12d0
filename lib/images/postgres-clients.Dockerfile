# One step function with PostgreSQL's client programs beside it, and the program that runs steps as container tasks (task.mjs):
# Lambda calls the handler, ECS starts the program. Built at deployment, never at synthesis.
FROM public.ecr.aws/docker/library/node:24-slim AS bundle
WORKDIR /project
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --omit=dev
COPY domain domain
COPY adapters adapters
COPY lambdas lambdas
ARG ENTRY TARGET MAIN_FIELDS BANNER
RUN npx esbuild task="lambdas/task.ts" index="$ENTRY" --bundle --platform=node --format=esm --outdir=/bundle --out-extension:.js=.mjs \
    --sourcemap "--target=$TARGET" "--main-fields=$MAIN_FIELDS" "--banner:js=$BANNER"

FROM public.ecr.aws/lambda/nodejs:24
RUN dnf install -y postgresql16 && dnf clean all
COPY --from=bundle /bundle ${LAMBDA_TASK_ROOT}
CMD ["index.handler"]
