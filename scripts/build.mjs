// `npm run build`: compiles apps/ and libs/ into dist/. `npx nest build <app>` works too, one application at a time.
import './check-node.mjs';
import { build } from './prepare.mjs';

process.exitCode = (await build()) ? 0 : 1;
