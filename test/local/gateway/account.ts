export const region = 'eu-central-1';
export const accountId = '000000000000';
export const rootKey = { accessKeyId: 'AKIAROOTROOTROOTROOT', secretAccessKey: 'a secret/with+odd=characters' };
