using Graft.Checkpoints.Store;

namespace Graft.Tests.Store;

public class StoredFilesTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Flipped_bit_is_found_by_verify_and_mended_by_the_next_pull()
    {
        using var scene = new StoreScene();
        scene.Published = scene.Published with { Hash = FileHash.Sha256Prefix(StoreScene.Sha256(scene.Content)[..8]) };
        await scene.PullAsync();
        Assert.Equal(FileCondition.Ok, Assert.Single(scene.Store.Verify([scene.Published])).Condition);

        var changed = File.GetLastWriteTimeUtc(scene.FinalPath);
        var rotten = (byte[])scene.Content.Clone();
        rotten[123_456] ^= 4;
        await File.WriteAllBytesAsync(scene.FinalPath, rotten, Cancellation);
        File.SetLastWriteTimeUtc(scene.FinalPath, changed);
        Assert.NotNull(scene.Store.Find(scene.Published));   // it looks as it did, and is not read at each start

        var check = Assert.Single(scene.Store.Verify([scene.Published]));
        Assert.Equal(FileCondition.HashMismatch, check.Condition);
        Assert.Equal(FileHash.Sha256(StoreScene.Sha256(scene.Content)), check.Expected);
        Assert.Equal(FileHash.Sha256(StoreScene.Sha256(rotten)), check.Found);
        Assert.Null(scene.Store.Find(scene.Published));
        await scene.PullAsync();
        scene.AssertStored();
    }

    [Fact]
    public async Task File_unknown_to_the_catalog_is_verified_against_what_it_was()
    {
        using var scene = new StoreScene();
        await scene.PullAsync();
        Assert.Equal(FileCondition.Ok, Assert.Single(scene.Store.Verify([])).Condition);
        scene.Content[5]++;
        await File.WriteAllBytesAsync(scene.FinalPath, scene.Content, Cancellation);
        Assert.Equal(FileCondition.HashMismatch, Assert.Single(scene.Store.Verify([])).Condition);
    }

    [Fact]
    public void Stranger_in_the_folder_is_neither_right_nor_wrong()
    {
        using var scene = new StoreScene();
        Directory.CreateDirectory(scene.Options.Folder);
        File.WriteAllText(Path.Combine(scene.Options.Folder, "notes.txt"), "mine");
        Assert.Equal(FileCondition.Unknown, Assert.Single(scene.Store.Verify([scene.Published])).Condition);
        Assert.Equal(FileCondition.Unknown, Assert.Single(scene.Store.Verify([scene.Published])).Condition);
    }

    [Theory]
    [InlineData(-1, FileCondition.Truncated)]
    [InlineData(+1, FileCondition.TooLong)]
    public async Task Wrong_length_is_found(int difference, FileCondition condition)
    {
        using var scene = new StoreScene();
        await scene.PullAsync();
        using (var file = File.OpenWrite(scene.FinalPath)) file.SetLength(scene.Content.Length + difference);
        Assert.Null(scene.Store.Find(scene.Published));
        var check = Assert.Single(scene.Store.Verify([scene.Published]));
        Assert.Equal(
            (condition, 200_000L, 200_000L + difference), (check.Condition, check.ExpectedBytes, check.FoundBytes));
    }

    [Fact]
    public async Task Changed_file_is_noticed_by_find()
    {
        using var scene = new StoreScene();
        await scene.PullAsync();
        var other = StoreScene.Bytes(200_000, seed: 2);
        await File.WriteAllBytesAsync(scene.FinalPath, other, Cancellation);
        File.SetLastWriteTimeUtc(scene.FinalPath, DateTime.UtcNow.AddSeconds(5));
        Assert.Null(scene.Store.Find(scene.Published));
    }

    [Fact]
    public async Task Touched_file_is_read_once_and_found()
    {
        using var scene = new StoreScene();
        await scene.PullAsync();
        var record = await File.ReadAllTextAsync(scene.FinalPath + ".json", Cancellation);
        File.SetLastWriteTimeUtc(scene.FinalPath, DateTime.UtcNow.AddSeconds(5));
        Assert.NotNull(scene.Store.Find(scene.Published));
        Assert.NotEqual(record, await File.ReadAllTextAsync(scene.FinalPath + ".json", Cancellation));
    }

    [Fact]
    public async Task New_hash_in_the_catalog_unseats_the_old_file()
    {
        using var scene = new StoreScene();
        await scene.PullAsync();
        var replaced = StoreScene.Bytes(100_000, seed: 2);
        scene.Published = scene.Published with { Hash = FileHash.Sha256(StoreScene.Sha256(replaced)) };
        Assert.Null(scene.Store.Find(scene.Published));
        scene.Server.File = replaced;
        await scene.PullAsync();
        scene.AssertStored(replaced);
    }

    [Fact]
    public async Task Lost_or_broken_record_costs_one_more_look()
    {
        using var scene = new StoreScene();
        await scene.PullAsync();
        await File.WriteAllTextAsync(scene.FinalPath + ".json", "{ \"Sha256\": ", Cancellation);
        Assert.NotNull(scene.Store.Find(scene.Published));
        File.Delete(scene.FinalPath + ".json");
        Assert.NotNull(scene.Store.Find(scene.Published));
    }

    [Fact]
    public async Task Import_verifies_copies_and_forgets_the_part()
    {
        using var scene = new StoreScene();
        await scene.InterruptAfterAsync(100_000);
        scene.Options = scene.Options with { Offline = true };
        var path = scene.Outside("download (1).bin", scene.Content);
        Assert.Equal(scene.FinalPath, scene.Store.Import(path, scene.Published));
        scene.AssertStored();
        Assert.True(File.Exists(path));
        Assert.Equal([StoreScene.FileName, StoreScene.FileName + ".json"],
            Directory.GetFiles(scene.Options.Folder).Select(Path.GetFileName).Order());
    }

    [Theory]
    [InlineData(200_000, "its hash is")]
    [InlineData(199_999, "it has 199,999 bytes, expected 200,000")]
    public void Import_of_a_wrong_file_is_refused(int bytes, string reason)
    {
        using var scene = new StoreScene();
        scene.Published = scene.Published with { Bytes = 200_000 };
        var wrong = scene.Outside("wrong", StoreScene.Bytes(bytes, seed: 2));
        var error = Assert.Throws<WeightStoreException>(() => scene.Store.Import(wrong, scene.Published));
        error.AssertSays(reason);
        scene.AssertNothingStored();
        Assert.Empty(Directory.GetFiles(scene.Options.Folder));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Hash_that_is_not_the_publishers_own_says_so_where_it_differs(bool isSecondHand)
    {
        using var scene = new StoreScene();
        var wrong = scene.Outside("wrong", StoreScene.Bytes(200_000, seed: 2));
        scene.Published = scene.Published with { Hash = FileHash.Md5(new string('a', 32)), HashIsSecondHand = isSecondHand };
        const string Caveat = "not stated by its publisher";
        var import = Assert.Throws<WeightStoreException>(() => scene.Store.Import(wrong, scene.Published)).Message;
        var pull = (await scene.PullFailsAsync()).Message;
        Assert.Equal(isSecondHand, import.Contains(Caveat, StringComparison.Ordinal));
        Assert.Equal(isSecondHand, pull.Contains(Caveat, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Import_of_a_wrong_file_leaves_the_right_one()
    {
        using var scene = new StoreScene();
        await scene.PullAsync();
        var wrong = scene.Outside("wrong", StoreScene.Bytes(200_000, seed: 2));
        Assert.Throws<WeightStoreException>(() => scene.Store.Import(wrong, scene.Published));
        scene.AssertStored();
    }

    [Fact]
    public void Import_of_a_missing_file_names_it()
    {
        using var scene = new StoreScene();
        var error = Assert.Throws<WeightStoreException>(() => scene.Store.Import("/nowhere/net.bin", scene.Published));
        error.AssertSays("/nowhere/net.bin");
    }

    [Fact]
    public void File_is_identified_by_its_hash_or_else_by_its_name()
    {
        using var scene = new StoreScene();
        var trusting = new PublishedFile { FileName = "trusting.h5", Url = new("https://example.org/a/tf.h5") };
        var path = scene.Outside("model.safetensors", scene.Content);
        Assert.Equal(scene.Published, WeightStore.Identify(path, [trusting, scene.Published]));
        Assert.Equal(trusting, WeightStore.Identify(scene.Outside("tf.h5", [1]), [scene.Published, trusting]));
        Assert.Null(WeightStore.Identify(scene.Outside("other", [1]), [scene.Published, trusting]));
    }

    [Fact]
    public async Task List_shows_whole_files_and_parts_with_their_sizes()
    {
        using var scene = new StoreScene();
        Assert.Empty(scene.Store.List());
        await scene.PullAsync();
        var whole = scene.Published;
        scene.Published = whole with { FileName = "a.bin" };
        scene.Server.ThenCut(90_000).ThenStatus("404 Not Found");
        await scene.PullFailsAsync();
        Assert.Equal(
            [
                new("a.bin", Path.Combine(scene.Options.Folder, "a.bin.part"), 90_000, true, whole.Url),
                new(StoreScene.FileName, scene.FinalPath, 200_000, false, whole.Url),
            ],
            scene.Store.List());
    }

    [Fact]
    public async Task Remove_frees_everything_and_nothing_else()
    {
        using var scene = new StoreScene();
        await scene.PullAsync();
        await scene.Store.PullAsync(scene.Published with { FileName = "b.bin" }, null, Cancellation);
        Assert.InRange(scene.Store.Remove(StoreScene.FileName), 200_001, 201_000);
        Assert.Equal("b.bin", Assert.Single(scene.Store.List()).FileName);
        Assert.Equal(0, scene.Store.Remove(StoreScene.FileName));
        Assert.Equal(0, scene.Store.Remove("../weights/b.bin"));
        Assert.Single(scene.Store.List());
    }
}
