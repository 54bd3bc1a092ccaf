using System.IO.Compression;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>Photos in archives and features in shards, as a person types them.</summary>
public sealed class CollectionsTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_zip_goes_through_shards_to_a_model_that_predicts_it()
    {
        var graft = new GraftCommand(_folder.File("home")) { WorkingFolder = _folder.FullName };
        ZipFile.CreateFromDirectory(photos.Folder, _folder.File("photos.zip"));
        var count = Directory.GetFiles(photos.Folder, "*", SearchOption.AllDirectories).Length;

        (graft.Environment["SLURM_ARRAY_TASK_MIN"], graft.Environment["SLURM_ARRAY_TASK_MAX"], graft.Environment["SLURM_ARRAY_TASK_COUNT"]) = ("0", "1", "2");
        var images = 0;
        foreach (var task in (string[])["0", "1"])
        {
            graft.Environment["SLURM_ARRAY_TASK_ID"] = task;
            var part = graft.Run("features", "photos.zip", "--backbone", "tiny", "--shard", "auto", "--out", $"part-{task}.parquet", "--json");
            Assert.True(part.ExitCode == 0, part.ToString());
            Assert.Equal($"{int.Parse(task, System.Globalization.CultureInfo.InvariantCulture) + 1}/2", part.Json.GetProperty("shard").GetString());
            images += part.Json.GetProperty("images").GetInt32();
        }
        Assert.Equal(count, images);
        var alone = graft.Run("features", "merge", "part-0.parquet", "--out", "all.parquet", "--photos", "photos.zip");
        Assert.Equal(1, alone.ExitCode);
        Assert.Contains("Run the missing shards: 2/2.", alone.Messages, StringComparison.Ordinal);
        var merged = graft.Run("features", "merge", "part-0.parquet", "part-1.parquet", "--out", "all.parquet", "--json");
        Assert.Equal(count, merged.Json.GetProperty("images").GetInt32());

        var trained = graft.Run("train", "all.parquet", "--classifier", "logistic", "--out", "run", "--json");
        Assert.True(trained.ExitCode == 0, trained.ToString());
        Assert.Equal("graft_mobilenet_v2_050.graft", trained.Json.GetProperty("backbone").GetString());
        var evaluated = graft.Run("evaluate", "run", "photos.zip", "--json");
        Assert.True(evaluated.ExitCode == 0, evaluated.ToString());
        var lines = ((string[])["1/2", "2/2"]).Sum(shard =>
        {
            var predicted = graft.Run("predict", "run", "photos.zip", "--shard", shard, "--csv");
            Assert.True(predicted.ExitCode == 0, predicted.ToString());
            return predicted.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length - 1;
        });
        Assert.Equal(count, lines);
        Assert.Equal(2, graft.Run("features", "photos.zip", "--shard", "3/2", "--out", "p.parquet").ExitCode);
        Assert.Equal(2, graft.Run("features", "photos.zip", "--shard", "1/2", "--out", "p.npz").ExitCode);
    }
}
