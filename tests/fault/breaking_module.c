/* A PKCS#11 module around another one, which it breaks on demand: what a vendor's library may do
 * to its process. PKCS11_BROKEN names the true module, PKCS11_BREAK a file; while that says how,
 * a signature aborts, writes to no memory, finds no memory, or never returns (the latter two, if
 * one is named, of one token), finds the key's number unknown, once, or fails by one mechanism
 * without a reason; sessions with the token that it names are not opened, or that never returns, or
 * returns when it is whole again; PINs are refused, slowly, or as soon as a signature has lost the
 * login; or a login takes its time, does not return, or ends with the code that is named. Where
 * PINs are what it is about, or are to be counted, each login is written down. */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long rv;
typedef void any(void);

/* CK_FUNCTION_LIST of PKCS#11 2.x: a version, then the functions in the order of the standard. */
struct functions {
    unsigned char version[2];
    any *function[68];
};
enum { GET_FUNCTION_LIST = 3, GET_TOKEN_INFO = 6, OPEN_SESSION = 12, GET_SESSION_INFO = 15,
       LOGIN = 18, LOGOUT = 19, SIGN_INIT = 42, SIGN = 43 };
enum { HOST_MEMORY = 2, GENERAL_ERROR = 5, ACTION_PROHIBITED = 0x1B, KEY_HANDLE_INVALID = 0x60,
       PIN_INCORRECT = 0xA0, TOKEN_NOT_PRESENT = 0xE0,
       USER_NOT_LOGGED_IN = 0x101, LABEL_LENGTH = 32 };
typedef rv get_list(struct functions **);
typedef rv get_token_info(unsigned long slot, unsigned char *info);
typedef rv open_session(unsigned long slot, unsigned long flags, void *application, void *notify,
                        unsigned long *session);
/* CK_SESSION_INFO: the slot first. */
typedef rv get_session_info(unsigned long session, unsigned long info[4]);
typedef rv login(unsigned long session, unsigned long user, unsigned char *pin,
                 unsigned long length);
typedef rv logout(unsigned long session);
/* CK_MECHANISM, whose parameters for PSS begin with the hash. */
struct mechanism {
    unsigned long name;
    unsigned long *parameters;
    unsigned long length;
};
enum { RSA_PKCS_PSS = 0xD, SHA512 = 0x270 };
typedef rv sign_init(unsigned long session, struct mechanism *mechanism, unsigned long key);
typedef rv sign(unsigned long session, unsigned char *data, unsigned long length,
                unsigned char *signature, unsigned long *signature_length);

static struct functions broken;
static get_token_info *true_get_token_info;
static open_session *true_open_session;
static get_session_info *true_get_session_info;
static login *true_login;
static logout *true_logout;
static sign_init *true_sign_init;
static sign *true_sign;

/* The order, as a letter, and whom it is about. */
static int order(char *about, size_t size)
{
    FILE *file = fopen(getenv("PKCS11_BREAK"), "r");
    if (file == NULL)
        return 0;
    int how = fgetc(file);
    fscanf(file, "%*s ");
    if (fgets(about, (int)size, file) == NULL)
        about[0] = 0;
    fclose(file);
    return how;
}

static int is_about(unsigned long slot, const char *about)
{
    unsigned char info[512] = {0};
    size_t length = strlen(about);
    return length > 0 && true_get_token_info(slot, info) == 0
        && memcmp(info, about, length) == 0 && info[length] == ' ';
}

static rv breaking_open_session(unsigned long slot, unsigned long flags, void *application,
                                void *notify, unsigned long *session)
{
    char about[LABEL_LENGTH];
    int how;
    while ((how = order(about, sizeof about)) == 'o' && is_about(slot, about))
        usleep(10000);
    while (how == 'O' && is_about(slot, about))
        pause();
    if (how == 'n' && is_about(slot, about))
        return TOKEN_NOT_PRESENT;
    /* Longer than a process is waited for before another one is started. */
    if (how == 'p')
        usleep(800000);
    return true_open_session(slot, flags, application, notify, session);
}

static int write_down(void)
{
    char name[4096];
    snprintf(name, sizeof name, "%s.tried", getenv("PKCS11_BREAK"));
    FILE *tried = fopen(name, "a");
    if (tried == NULL)
        return 0;
    fputs("a PIN\n", tried);
    return fclose(tried) == 0;
}

static int is_with(unsigned long session, const char *about)
{
    unsigned long info[4] = {0};
    return true_get_session_info(session, info) == 0 && is_about(info[0], about);
}

static rv breaking_login(unsigned long session, unsigned long user, unsigned char *pin,
                         unsigned long length)
{
    char about[LABEL_LENGTH];
    int how = order(about, sizeof about);
    int slow = how == 'w' && is_with(session, about);
    if ((slow || (how != 0 && strchr("plxecbL", how) != NULL)) && !write_down())
        return GENERAL_ERROR;
    if (slow)
        usleep(4000000);
    if (how == 'p')
        usleep(1500000);
    /* Longer than a key may take to be opened. */
    if (how == 'L')
        sleep(12);
    if (how == 'p' || how == 'l' || how == 'L')
        return PIN_INCORRECT;
    if (how == 'e')
        return strtoul(about, NULL, 10);
    while (how == 'x') {
        usleep(10000);
        how = order(about, sizeof about);
    }
    return true_login(session, user, pin, length);
}

static rv breaking_sign_init(unsigned long session, struct mechanism *mechanism, unsigned long key)
{
    static int handle_lost;
    char about[LABEL_LENGTH];
    int how = order(about, sizeof about);
    if (how == 'b' && !handle_lost++)
        return KEY_HANDLE_INVALID;
    if (how == 'f' && mechanism->name == RSA_PKCS_PSS && mechanism->parameters[0] == SHA512)
        return ACTION_PROHIBITED;
    return true_sign_init(session, mechanism, key);
}

static rv breaking_sign(unsigned long session, unsigned char *data, unsigned long length,
                        unsigned char *signature, unsigned long *signature_length)
{
    char about[LABEL_LENGTH];
    int how = order(about, sizeof about);
    if (how == 'a')
        abort();
    if (how == 's')
        raise(SIGSEGV);
    if (how == 'l' || how == 'L') {
        true_logout(session);
        return USER_NOT_LOGGED_IN;
    }
    if (how == 'm' && is_with(session, about)) {
        true_sign(session, data, length, signature, signature_length);
        return HOST_MEMORY;
    }
    if (how == 'h' && about[0] != 0 && !is_with(session, about))
        how = 0;
    while (how == 'h')
        pause();
    while (how == 'w' && !is_with(session, about)) {
        usleep(10000);
        how = order(about, sizeof about);
    }
    return true_sign(session, data, length, signature, signature_length);
}

rv C_GetFunctionList(struct functions **list)
{
    struct functions *whole;
    void *module = dlopen(getenv("PKCS11_BROKEN"), RTLD_NOW | RTLD_LOCAL);
    if (module == NULL)
        return GENERAL_ERROR;
    get_list *get = (get_list *)dlsym(module, "C_GetFunctionList");
    rv told = get(&whole);
    if (told != 0)
        return told;
    broken = *whole;
    broken.function[GET_FUNCTION_LIST] = (any *)C_GetFunctionList;
    true_get_token_info = (get_token_info *)whole->function[GET_TOKEN_INFO];
    true_open_session = (open_session *)whole->function[OPEN_SESSION];
    broken.function[OPEN_SESSION] = (any *)breaking_open_session;
    true_get_session_info = (get_session_info *)whole->function[GET_SESSION_INFO];
    true_login = (login *)whole->function[LOGIN];
    true_logout = (logout *)whole->function[LOGOUT];
    broken.function[LOGIN] = (any *)breaking_login;
    true_sign_init = (sign_init *)whole->function[SIGN_INIT];
    broken.function[SIGN_INIT] = (any *)breaking_sign_init;
    true_sign = (sign *)whole->function[SIGN];
    broken.function[SIGN] = (any *)breaking_sign;
    *list = &broken;
    return 0;
}
