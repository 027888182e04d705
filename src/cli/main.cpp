#include <cstdio>
int main() { std::puts("thalweg 0.1.0"); }
