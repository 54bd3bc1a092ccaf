using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json.Nodes;
using Graft.Runs;

namespace Graft.Cli.Verbs;

/// <summary>The options that fill in a training request, made of what its properties declare.</summary>
internal sealed class RequestOptions
{
    private readonly List<(Setting Setting, Option Option)> _options =
        [.. Setting.All.Where(setting => setting.Name != nameof(TrainingRequest.Photos)).Select(setting => (setting, OptionOf(setting)))];

    private readonly Option<string?> _recipe = new("--recipe")
    {
        Description = $"Start from a recipe: a JSON file, or {string.Join(", ", Recipe.Names.SkipLast(1))} or {Recipe.Names[^1]}; other options go before it",
        HelpName = "FILE|NAME",
    };

    public void AddTo(Command command)
    {
        foreach (var (_, option) in _options) command.Add(option);
        command.Add(_recipe);
    }

    /// <summary>The heading of an option in help; null of an option that is not a request's.</summary>
    public string? HeadingOf(Option option) => _options.FirstOrDefault(entry => entry.Option == option) is ({ Declared: var declared }, _)
        ? declared.IsBasic ? "Options" : declared.Group.ToString()
        : null;

    /// <summary>What the command line says, over its recipe.</summary>
    /// <param name="photos">Null where the command line names none.</param>
    /// <exception cref="GraftException">No such recipe.</exception>
    public TrainingRequest Read(ParseResult parsed, string? photos, BackboneOptions networks)
    {
        var recipe = parsed.GetValue(_recipe) is { } name ? Recipe.Load(name) : new();
        var document = new JsonObject { ["version"] = TrainingRequest.CurrentVersion };
        foreach (var (setting, option) in _options)
            if (parsed.GetResult(option) is { Implicit: false } result) document[setting.JsonName] = ValueOf(setting, option, result, parsed);
        var request = TrainingRequest.FromJson(document.ToJsonString()) with
        {
            Photos = photos,
            Backbones = networks.Requests(parsed, recipe.Backbones),
        };
        return request.Over(recipe);
    }

    private static Option OptionOf(Setting setting)
    {
        Option option = (setting.Type, setting) switch
        {
            (_, { Declared.IsNegative: true }) => new Option<bool>(setting.Option, [.. setting.Aliases]),
            (_, { Name: nameof(TrainingRequest.C) }) => new Option<string?>(setting.Option),
            (var type, _) when type == typeof(IReadOnlyList<int>) => Numbers(setting),
            (var type, _) when type == typeof(int) => new Option<int?>(setting.Option, [.. setting.Aliases]),
            (var type, _) when type == typeof(double) => new Option<double?>(setting.Option, [.. setting.Aliases]),
            (var type, _) when type == typeof(bool) => new Option<bool?>(setting.Option, [.. setting.Aliases]),
            _ => Words(setting),
        };
        option.Description = setting.Declared.Description;
        if (!setting.Declared.IsNegative) option.HelpName = setting.Declared.Placeholder;
        return option;
    }

    private static Option<string?> Words(Setting setting)
    {
        var option = new Option<string?>(setting.Option, [.. setting.Aliases]);
        if (setting.Choices is { } choices) option.AcceptOnlyFromAmong([.. choices]);
        return option;
    }

    private static Option<int[]> Numbers(Setting setting) => new(setting.Option, [.. setting.Aliases])
    {
        CustomParser = result =>
        {
            var numbers = new List<int>();
            foreach (var text in result.Tokens.SelectMany(token => token.Value.Split(',')))
            {
                if (int.TryParse(text, CultureInfo.InvariantCulture, out var number)) numbers.Add(number);
                else result.AddError($"Expected {setting.Option} as numbers, such as 1024 or 512,256, found {text}.");
            }
            return [.. numbers];
        },
    };

    private static JsonNode? ValueOf(Setting setting, Option option, OptionResult result, ParseResult parsed) => option switch
    {
        Option<bool> => false,
        Option<bool?> flag => parsed.GetValue(flag) ?? true,
        Option<int?> number => parsed.GetValue(number),
        Option<double?> number => parsed.GetValue(number) is { } value && double.IsFinite(value)
            ? value
            : throw new UsageException($"Expected {setting.Option} with a finite number, found '{result.Tokens[^1].Value}'."),
        Option<int[]> numbers => new JsonArray([.. parsed.GetValue(numbers)!.Select(number => (JsonNode)number)]),
        Option<string?> text when setting.Name == nameof(TrainingRequest.C) => Regularization(parsed.GetValue(text)!),
        Option<string?> text => parsed.GetValue(text),
        _ => throw new InvalidOperationException($"{setting.Option} has no value."),
    };

    private static JsonNode Regularization(string text) => text == "auto" ? text
        : double.TryParse(text, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number
        : throw new UsageException($"Expected --C as a number above 0, or auto, found {text}.");
}
