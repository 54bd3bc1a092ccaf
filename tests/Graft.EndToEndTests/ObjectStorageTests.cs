using System.IO.Compression;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>Photos in a bucket, as a person types them.</summary>
public sealed class ObjectStorageTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_bucket_is_the_folder_that_was_copied_there()
    {
        Assert.SkipUnless(BucketServer.IsInstalled, "s3rver is not installed: run .ci/s3rver, which needs node and npm.");
        var cancellation = TestContext.Current.CancellationToken;
        await using var server = await BucketServer.Start(_folder.File("buckets"), "pictures", cancellation);
        await server.Put("pictures", "drawn", photos.Folder, cancellation);
        Directory.CreateDirectory(_folder.File("zips"));
        ZipFile.CreateFromDirectory(Path.Combine(photos.Folder, "train"), _folder.File("zips/train.zip"));
        ZipFile.CreateFromDirectory(Path.Combine(photos.Folder, "test"), _folder.File("zips/test.zip"));
        await server.Put("pictures", "zips", _folder.File("zips"), cancellation);
        var graft = new GraftCommand(_folder.File("home")) { WorkingFolder = _folder.FullName };
        foreach (var (name, value) in server.Environment) graft.Environment[name] = value;

        Assert.Equal(0, graft.Run("features", photos.Folder, "--backbone", "tiny", "--out", "local.npz").ExitCode);
        foreach (var place in (string[])["drawn", "zips"])
        {
            var features = graft.Run("features", $"s3://pictures/{place}", "--backbone", "tiny", "--out", $"{place}.npz", "--json");
            Assert.True(features.ExitCode == 0, features.ToString());
            // By their contents the cache knows them.
            Assert.Equal(0, features.Json.GetProperty("cache").GetProperty("misses").GetInt32());
        }
        Assert.Equal(Arrays("local.npz"), Arrays("drawn.npz"));
        var part = graft.Run("features", "s3://pictures/drawn", "--backbone", "tiny", "--shard", "1/1", "--out", "part.parquet");
        Assert.True(part.ExitCode == 0, part.ToString());

        var check = graft.Run("data", "check", "s3://pictures/drawn", "--json");
        Assert.True(check.ExitCode == 0, check.ToString());
        Assert.Equal(0, graft.Run("train", photos.Folder, "--backbone", "tiny", "--classifier", "logistic", "--out", "local").ExitCode);
        var trained = graft.Run("train", "s3://pictures/drawn", "--backbone", "tiny", "--classifier", "logistic", "--out", "run");
        Assert.True(trained.ExitCode == 0, trained.ToString());
        Assert.Equal(Probabilities("local"), Probabilities("run"));
        var evaluated = graft.Run("evaluate", "run", "s3://pictures/zips/test.zip", "--json");
        Assert.True(evaluated.ExitCode == 0, evaluated.ToString());
        var predicted = graft.Run("predict", "run", "s3://pictures/drawn/test", "--csv");
        Assert.True(predicted.ExitCode == 0, predicted.ToString());
        Assert.Equal(1 + Directory.GetFiles(Path.Combine(photos.Folder, "test"), "*", SearchOption.AllDirectories).Length, predicted.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        foreach (var file in Directory.GetFiles(_folder.File("run"), "*", SearchOption.AllDirectories)) Assert.DoesNotContain(BucketServer.Credential, File.ReadAllText(file), StringComparison.Ordinal);

        var absent = graft.Run("train", "s3://picture/drawn", "--out", "no");
        Assert.Equal(1, absent.ExitCode);
        Assert.Contains("there is no bucket picture", absent.Messages, StringComparison.Ordinal);
        var empty = graft.Run("features", "s3://pictures/Drawn", "--out", "no.parquet");
        Assert.Contains("There are no objects below 's3://pictures/Drawn/'", empty.Messages, StringComparison.Ordinal);
        graft.Environment["AWS_ACCESS_KEY_ID"] = "NOBODY";
        var refused = graft.Run("data", "check", "s3://pictures/drawn");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("access is refused (403 InvalidAccessKeyId)", refused.Messages, StringComparison.Ordinal);
    }

    /// <summary>Contents of a table of features, but for where its photos lie.</summary>
    private List<(string Name, string Content)> Arrays(string table)
    {
        using var archive = ZipFile.OpenRead(_folder.File(table));
        return [.. archive.Entries.Select(entry =>
        {
            using var content = new MemoryStream();
            using (var stream = entry.Open()) stream.CopyTo(content);
            return (entry.FullName, Convert.ToBase64String(content.ToArray()));
        }).Where(entry => entry.FullName is not ("source.npy" or "metadata.npy"))];
    }

    private IEnumerable<string> Probabilities(string run) => File.ReadLines(_folder.File($"{run}/predictions.csv")).Select(line => line[(line.IndexOf(',') + 1)..]);
}
