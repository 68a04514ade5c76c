import { Module } from '@nestjs/common';
import { JobsModule } from '#contexts/jobs/http';
import type { JobKindParts } from '../parts.js';
import { LoadController } from './http/load.controller.js';
import { loadDocs } from './http/load.docs.js';
import { loadKind } from './load.kind.js';

@Module({ imports: [JobsModule], controllers: [LoadController] })
class LoadModule {}

export const load: JobKindParts = { kind: loadKind, module: LoadModule, docs: loadDocs };
