import type { ConnectorDeclaration } from '../declaration.js';
import { fileDeclaration } from '../file/file-declaration.js';
import { s3Declaration } from '../s3/s3-declaration.js';

/** Every connector there is, as it declares itself. `openings.ts` holds what opens them. */
export const declarations = [s3Declaration, fileDeclaration] as const satisfies readonly ConnectorDeclaration[];
