/** Which names say that their value is not to be shown. Case, dashes, underscores, dots and blanks do not count. */

export interface SensitiveNames {
  /** Credentials: hidden everywhere, the audit log's data included. */
  isSecret(name: string): boolean;
  /** Credentials and, where asked for, what tells about a person. */
  isSensitive(name: string): boolean;
}

/** Whole names, and ends of names: `newPassword`, `X-Api-Key`, `billing_address`. */
const SECRET_ENDINGS = [
  ...['password', 'passwords', 'passwd', 'pwd', 'passphrase', 'passcode', 'passwordhash', 'secret', 'secrets', 'token'],
  ...['accesstokens', 'refreshtokens', 'apikey', 'apikeys', 'accesskey', 'secretkey', 'privatekey', 'signingkey'],
  ...['encryptionkey', 'sharedkey', 'accountkey', 'masterkey', 'credential', 'credentials', 'authorization', 'cookie'],
  ...['cookies', 'setcookie', 'sessionkey', 'connectionstring', 'jwt', 'onetimecode', 'recoverycode', 'recoverycodes'],
  ...['securitycode', 'xamzsignature', 'xamzcredential'],
];
/** Too short or too common to be told by the end of a longer name. */
const SECRET_NAMES = [
  'auth',
  'bearer',
  'pin',
  'pincode',
  'otp',
  'totp',
  'cvv',
  'cvv2',
  'cvc',
  'cvc2',
  'sig',
  'sid',
  'pass',
];

const PERSONAL_ENDINGS = [
  ...['email', 'emails', 'emailaddress', 'phone', 'phones', 'phonenumber', 'telephone', 'mobilenumber', 'msisdn'],
  ...['firstname', 'lastname', 'middlename', 'fullname', 'givenname', 'familyname', 'surname', 'maidenname'],
  ...['birthname', 'address', 'addresses', 'street', 'streetname', 'addressline1', 'addressline2', 'postalcode'],
  ...['birthdate', 'dateofbirth', 'birthday', 'ssn', 'socialsecuritynumber', 'nationalid', 'passportnumber', 'taxid'],
  ...['driverslicense', 'iban', 'accountnumber', 'cardnumber', 'creditcard', 'creditcardnumber', 'cardholder'],
  ...['cardholdername', 'clientip', 'remoteip', 'sourceip'],
];
const PERSONAL_NAMES = ['mail', 'mobile', 'tel', 'fax', 'dob', 'pan', 'ip', 'zip', 'zipcode', 'bankaccount'];

/** @param own names of the user's: secrets, by the same rule for their endings */
export function sensitiveNames(own: readonly string[], personalData: boolean): SensitiveNames {
  const secretEndings = new Set([...SECRET_ENDINGS, ...own.map(normalizeName)]);
  const secretNames = new Set(SECRET_NAMES);
  const personalEndings = new Set(personalData ? PERSONAL_ENDINGS : []);
  const personalNames = new Set(personalData ? PERSONAL_NAMES : []);
  const longest = Math.max(...[...secretEndings, ...personalEndings].map(({ length }) => length));
  const endsIn = (name: string, endings: ReadonlySet<string>) => {
    for (let from = Math.max(0, name.length - longest); from < name.length; from++) {
      if (endings.has(name.slice(from))) return true;
    }
    return false;
  };
  const isSecret = (name: string) => secretNames.has(name) || endsIn(name, secretEndings);
  return {
    isSecret: remembering((name) => isSecret(normalizeName(name))),
    isSensitive: remembering((name) => {
      const normal = normalizeName(name);
      return isSecret(normal) || personalNames.has(normal) || endsIn(normal, personalEndings);
    }),
  };
}

const MOST_REMEMBERED = 1_000;
const LONGEST_REMEMBERED = 64;

/** Events of a type have the same names. Whoever makes up names only empties what is remembered. */
function remembering(judge: (name: string) => boolean): (name: string) => boolean {
  const known = new Map<string, boolean>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const verdict = judge(name);
    if (known.size >= MOST_REMEMBERED) known.clear();
    if (name.length <= LONGEST_REMEMBERED) known.set(name, verdict);
    return verdict;
  };
}

/** Only its end counts, so a long name costs no more than a short one. */
export function normalizeName(name: string): string {
  return name
    .slice(-128)
    .replace(/[-_.\s$]/g, '')
    .toLowerCase();
}
