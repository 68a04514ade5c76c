# One image for all processes; the command says which: apps/coordinator, apps/worker, apps/cli.
FROM node:24-slim AS build
WORKDIR /larder
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY apps apps
COPY libs libs
RUN npm run build && npm prune --omit=dev

FROM node:24-slim
WORKDIR /larder
COPY --from=build /larder/package.json ./
COPY --from=build /larder/node_modules node_modules
COPY --from=build /larder/dist dist
# A named volume takes over the owner of the directory that it is mounted on.
RUN mkdir /cache && chown node:node /cache
USER node
ENV NODE_ENV=production
CMD ["node", "dist/bin/coordinator.js"]
