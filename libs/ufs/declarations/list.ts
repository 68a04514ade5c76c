import type { ConnectorDeclaration } from '../declaration.js';
import { fileDeclaration } from '../file/file-declaration.js';
import { s3Declaration } from '../s3/s3-declaration.js';

/** The declarations of all connectors. `openings.ts` has the parts that open them. */
export const declarations = [s3Declaration, fileDeclaration] as const satisfies readonly ConnectorDeclaration[];
