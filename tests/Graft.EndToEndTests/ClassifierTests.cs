using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>Every classifier from photos to predictions.</summary>
public sealed class ClassifierTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("logistic", "--C", "0.1")]
    [InlineData("logistic", "--C", "auto")]
    [InlineData("svm", "--class-weights", "balanced")]
    [InlineData("svm", "--C", "auto")]
    [InlineData("rbf-svm", "--C", "10")]
    [InlineData("bayes", "--no-batch-norm")]
    [InlineData("knn", "--neighbors", "3")]
    [InlineData("mean")]
    [InlineData("softmax", "--class-weights", "balanced")]
    public void Trained_classifier_is_evaluated_and_predicted_with(string name, params string[] options)
    {
        var graft = new GraftCommand(_folder.FullName);

        var trained = graft.Run(["train", photos.Folder, "--backbone", "tiny", "--classifier", name, .. options, "--out", _folder.File("run"), "--json"]);

        Assert.True(trained.ExitCode == 0, trained.ToString());
        Assert.Equal(name, trained.Json.GetProperty("classifier").GetString());
        Assert.Contains("trainable", trained.Messages, StringComparison.Ordinal);
        Assert.Equal(name == "softmax", File.Exists(_folder.File("run/history.csv")));
        var accuracy = trained.Json.GetProperty("test").GetProperty("accuracy").GetDouble();
        Assert.InRange(accuracy, 0.3, 1); // Of 6 classes.
        if (options is ["--C", var c, ..])
        {
            var fit = trained.Json.GetProperty("fit");
            if (c == "auto") Assert.True(fit.GetProperty("c_candidates").GetArrayLength() > 1);
            else Assert.Equal(double.Parse(c, System.Globalization.CultureInfo.InvariantCulture), fit.GetProperty("c").GetDouble());
            Assert.Contains("C = ", File.ReadAllText(_folder.File("run/report.txt")), StringComparison.Ordinal);
        }

        var evaluation = graft.Run("evaluate", _folder.File("run"), photos.Folder, "--json");
        Assert.True(evaluation.ExitCode == 0, evaluation.ToString());
        Assert.Equal(accuracy, evaluation.Json.GetProperty("accuracy").GetDouble());

        var prediction = graft.Run("predict", _folder.File("run"), Directory.GetFiles(Path.Combine(photos.Folder, "train/fish"))[0], "--json");
        Assert.True(prediction.ExitCode == 0, prediction.ToString());
        Assert.Equal("fish", prediction.Json.GetProperty("predictions")[0].GetProperty("classes")[0].GetProperty("class").GetString());
    }

    [Theory]
    [InlineData("--hidden needs --strategy features with a softmax head, head, finetune, partial, full or scratch, and has no effect on features with a classic --classifier", "--classifier", "svm", "--hidden", "16")]
    [InlineData("--epochs needs --strategy features with a softmax head", "--classifier", "knn", "--epochs", "16")]
    [InlineData("--C needs --strategy features with a classic --classifier, and has no effect on features with a softmax head", "--C", "1")]
    [InlineData("--neighbors belongs to --classifier knn, and has no effect on bayes", "--classifier", "bayes", "--neighbors", "3")]
    [InlineData("--class-weights belongs to", "--classifier", "mean", "--class-weights", "balanced")]
    [InlineData("Expected --C above 0, found 0", "--classifier", "svm", "--C", "0")]
    [InlineData("a number above 0, or auto, found much", "--classifier", "svm", "--C", "much")]
    [InlineData("'forest'", "--classifier", "forest")]
    public void Option_of_another_classifier_ends_with_2_and_says_whose_it_is(string message, params string[] options)
    {
        var result = new GraftCommand(_folder.FullName).Run(["train", photos.Folder, "--backbone", "tiny", .. options, "--out", _folder.File("run")]);

        Assert.True(result.ExitCode == 2, result.ToString());
        Assert.Contains(message, result.Messages, StringComparison.Ordinal);
        Assert.False(Path.Exists(_folder.File("run")));
    }
}
