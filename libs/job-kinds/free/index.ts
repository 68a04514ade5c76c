import { Module } from '@nestjs/common';
import { JobsModule } from '#contexts/jobs/http';
import type { JobKindParts } from '../parts.js';
import { FreeController } from './http/free.controller.js';
import { freeDocs } from './http/free.docs.js';
import { freeKind } from './free.kind.js';

@Module({ imports: [JobsModule], controllers: [FreeController] })
class FreeModule {}

export const free: JobKindParts = { kind: freeKind, module: FreeModule, docs: freeDocs };
