import { Module } from '@nestjs/common';
import { MembershipModule } from '#contexts/membership/http';
import { FileIndexController } from './file-index.controller.js';
import { FileIndexService } from './file-index.service.js';

export { filesAnswer, filesChangedAnswer } from './file-index.answers.js';
export { FilesDto } from './file-index.controller.js';

@Module({ imports: [MembershipModule], controllers: [FileIndexController], providers: [FileIndexService] })
export class FileIndexModule {}
