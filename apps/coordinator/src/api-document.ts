import { apiDocument } from '#contexts/api-docs';
import { jobKindDocs } from '#job-kinds/coordinator';

/** The REST API with the job kinds of this build. */
export const document = apiDocument(jobKindDocs);
