//===- CheckpointTest.cpp - Save and load ---------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

class Checkpoint : public ::testing::Test {
protected:
  void SetUp() override {
    folder = fs::temp_directory_path() /
             ("evox-checkpoint-" + std::to_string(getpid()));
    fs::create_directories(folder);
    file = (folder / "state.safetensors").string();
  }
  void TearDown() override {
    test_set_hash("0123456789abcdef");
    fs::remove_all(folder);
  }

  std::string read() {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string &bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
  }
  std::string header() {
    std::string bytes = read();
    uint64_t size;
    memcpy(&size, bytes.data(), 8);
    return bytes.substr(8, size);
  }
  /// In phase 1, with everything off its initial value.
  static void exercise(Instance &i) {
    api().seed(i.handle, 5);
    i.call("init_step");
    i.run("step", 7);
    i.call("risky", {i64(0)});
  }
  void save(Instance &i) {
    ASSERT_EQ(api().save(i.handle, file.c_str()), EVOX_OK) << i.error();
  }
  /// The load fails, and the state is as it was.
  void fails(const std::string &text,
             evox_status status = EVOX_ERROR_CHECKPOINT) {
    Instance i;
    i.call("risky", {i64(0)});
    std::string before = i.snapshot();
    EXPECT_EQ(api().load(i.handle, file.c_str()), status);
    EXPECT_EQ(i.error(), "load: '" + file + "' " + text);
    EXPECT_EQ(i.snapshot(), before);
    i.call("risky", {i64(0)});
  }

  fs::path folder;
  std::string file;
};

TEST_F(Checkpoint, RoundTrip) {
  Instance a, b;
  exercise(a);
  save(a);
  ASSERT_EQ(api().load(b.handle, file.c_str()), EVOX_OK) << b.error();
  EXPECT_EQ(a.snapshot(), b.snapshot());
  for (Instance *i : {&a, &b}) {
    i->run("step", 100);
    i->call("risky", {i64(0)});
  }
  EXPECT_EQ(a.snapshot(), b.snapshot());
  // Onto an instance that has more, and over the file.
  save(b);
  exercise(b);
  ASSERT_EQ(api().load(b.handle, file.c_str()), EVOX_OK) << b.error();
  EXPECT_EQ(a.snapshot(), b.snapshot());
  // Nothing else is left in the folder.
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
}

TEST_F(Checkpoint, IsReadableByOthers) {
  Instance i;
  exercise(i);
  save(i);
  std::string text = header();
  EXPECT_EQ((text.size() + 8) % 8, 0u);
  EXPECT_NE(text.find("\"algorithm.population\":{\"dtype\":\"F32\",\"shape\":"
                      "[4,2],\"data_offsets\":["),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\"monitor.history.6\":{"), std::string::npos);
  EXPECT_NE(text.find("\"__generator__\":{\"dtype\":\"U8\",\"shape\":[5056]"),
            std::string::npos);
  EXPECT_NE(text.find("\"phase\":\"1\""), std::string::npos);
  EXPECT_NE(text.find("\"size of seen\":\"2\""), std::string::npos);
  EXPECT_EQ(text.find("algorithm.bounds"), std::string::npos);
}

TEST_F(Checkpoint, AfterAFailureWithoutAWayBack) {
  Instance i;
  save(i);
  EXPECT_EQ(i.tryCall("broken"), EVOX_ERROR_PROGRAM);
  EXPECT_EQ(api().load(i.handle, file.c_str()), EVOX_OK) << i.error();
  EXPECT_EQ(i.values("algorithm.population")[0], 0);
}

TEST_F(Checkpoint, NotAFile) {
  Instance i;
  std::string missing = (folder / "missing").string();
  EXPECT_FAILS(EVOX_ERROR_IO, api().load(i.handle, missing.c_str()), i,
               "load: cannot read '" + missing +
                   "': No such file or directory");
  EXPECT_FAILS(EVOX_ERROR_IO, api().load(i.handle, folder.c_str()), i,
               "load: cannot read '" + folder.string() + "': Is a directory");
  EXPECT_FAILS(EVOX_ERROR_ARGUMENT, api().load(i.handle, ""), i,
               "load: the path is empty");
  std::string nowhere = (folder / "a" / "b").string();
  EXPECT_FAILS(EVOX_ERROR_IO, api().save(i.handle, nowhere.c_str()), i,
               "save: cannot write '" + nowhere +
                   "': No such file or directory");
  // What cannot be replaced stays, and no temporary file does.
  fs::create_directories(folder / "taken");
  std::string taken = (folder / "taken").string();
  EXPECT_FAILS(EVOX_ERROR_IO, api().save(i.handle, taken.c_str()), i,
               "save: cannot write '" + taken + "': Is a directory");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
}

TEST_F(Checkpoint, NotSafetensors) {
  write("");
  fails("is not a safetensors file: it has fewer than 8 bytes");
  write("hello, this is a text");
  fails("is not a safetensors file: it does not start with a header");
  write(std::string("\x03\0\0\0\0\0\0\0{x}", 11));
  fails("is not a safetensors file: its header is malformed");
  std::string other = "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],"
                      "\"data_offsets\":[0,4]}}";
  write(std::string(1, char(other.size())) + std::string(7, 0) + other +
        std::string(4, 0));
  fails("is a safetensors file, but not a checkpoint of format 'evox-mlir 1'");
}

TEST_F(Checkpoint, Truncated) {
  Instance i;
  exercise(i);
  save(i);
  std::string bytes = read();
  write(bytes.substr(0, bytes.size() - 1));
  std::string size = std::to_string(bytes.size() - 8 - header().size());
  std::string less = std::to_string(bytes.size() - 9 - header().size());
  fails("is truncated: it should have " + size + " bytes of data, " + less +
        " are there");
  write(bytes.substr(0, 100));
  Instance j;
  EXPECT_EQ(api().load(j.handle, file.c_str()), EVOX_ERROR_CHECKPOINT);
  EXPECT_NE(j.error().find("is truncated: its header should have"),
            std::string::npos);
}

// A change of any byte is found, with whatever text.
TEST_F(Checkpoint, Altered) {
  Instance i;
  exercise(i);
  save(i);
  std::string bytes = read();
  Instance j;
  j.call("risky", {i64(0)});
  std::string before = j.snapshot();
  size_t headerEnd = 8 + header().size();
  int checksums = 0;
  for (size_t at = 0; at < bytes.size(); at += at < headerEnd + 200 ? 1 : 101) {
    std::string changed = bytes;
    changed[at] = char(changed[at] ^ 1);
    write(changed);
    EXPECT_EQ(api().load(j.handle, file.c_str()), EVOX_ERROR_CHECKPOINT)
        << "byte " << at;
    checksums += j.error().find("checksum") != std::string::npos;
  }
  EXPECT_GT(checksums, 200);
  EXPECT_EQ(j.snapshot(), before);
  write(bytes + "more");
  fails("was altered or damaged: its checksum does not match");
}

TEST_F(Checkpoint, OfAnotherProgram) {
  Instance i;
  save(i);
  test_set_hash("fedcba9876543210");
  fails("is of another program: 'test' (0123456789abcdef), and this is 'test' "
        "(fedcba9876543210)");
}

} // namespace
