/* A PKCS#11 module around another one, which it breaks on demand: what a vendor's library may do
 * to its process. PKCS11_BROKEN names the true module, PKCS11_BREAK a file; while that says how,
 * a signature aborts, writes to no memory, or never returns. */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef unsigned long rv;
typedef void any(void);

/* CK_FUNCTION_LIST of PKCS#11 2.x: a version, then the functions in the order of the standard. */
struct functions {
    unsigned char version[2];
    any *function[68];
};
enum { GET_FUNCTION_LIST = 3, SIGN = 43 };
typedef rv get_list(struct functions **);
typedef rv sign(unsigned long session, unsigned char *data, unsigned long length,
                unsigned char *signature, unsigned long *signature_length);

static struct functions broken;
static sign *true_sign;

static rv breaking_sign(unsigned long session, unsigned char *data, unsigned long length,
                        unsigned char *signature, unsigned long *signature_length)
{
    FILE *file = fopen(getenv("PKCS11_BREAK"), "r");
    if (file != NULL) {
        int how = fgetc(file);
        fclose(file);
        if (how == 'a')
            abort();
        if (how == 's')
            raise(SIGSEGV);
        while (how == 'h')
            pause();
    }
    return true_sign(session, data, length, signature, signature_length);
}

rv C_GetFunctionList(struct functions **list)
{
    struct functions *whole;
    void *module = dlopen(getenv("PKCS11_BROKEN"), RTLD_NOW | RTLD_LOCAL);
    if (module == NULL)
        return 5; /* CKR_GENERAL_ERROR */
    get_list *get = (get_list *)dlsym(module, "C_GetFunctionList");
    rv told = get(&whole);
    if (told != 0)
        return told;
    broken = *whole;
    broken.function[GET_FUNCTION_LIST] = (any *)C_GetFunctionList;
    true_sign = (sign *)whole->function[SIGN];
    broken.function[SIGN] = (any *)breaking_sign;
    *list = &broken;
    return 0;
}
