import { Module } from '@nestjs/common';
import { MountController } from './mount.controller.js';

@Module({ controllers: [MountController] })
export class NamespaceModule {}
